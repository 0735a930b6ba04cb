"""Short scenes, questions at their end: about now and about all that was seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Final

from numpy.random import Generator

from evaluation.scenes import Drawn, Posed, Scene, held_out
from worlds.questions.moment import Question, clear
from worlds.vocabulary import SHAPES
from worlds.vocabulary import held_out as never_trained
from worlds.wording import say_fate
from worlds.world import World

FPS: Final = 4.0
STEPS: Final = (6, 16)  # temporal steps watched before the question
_LATEST: Final = 300.0  # seconds into the world
_ATTEMPTS: Final = 400
_INSIST: Final = 100  # looks for a scene that allows the rare question wanted

# What happens only on a desk is rare in a stretch of it: each desk is looked at where one of these
# can be asked, in turn.
_MOODS: Final = (
    "desk", "shapes", "objects", "desk", "busy", "desk", "objects", "calm", "desk", "shapes"
)  # fmt: skip
_RARE: Final = ("read", "state", "happened", "taken")
_COMMON: Final = (say_fate("appeared", ""), say_fate("left", ""))  # that happens everywhere


def recent(seed: int, tasks: Sequence[str]) -> Iterator[Drawn]:
    """Scenes of all moods with at most one question of each task at the end of each.

    Args:
        seed: another set of scenes.
        tasks: kinds of questions to ask where the scene allows it.
    """
    rare = cycle(_RARE)
    for world, url, rng in held_out(seed, 0, _MOODS):
        wanted = next(rare) if url.startswith("demo:desk") else None
        scene = _look(world, url, rng, wanted)
        if scene and (posed := _posed(scene, tasks)):
            yield scene, posed


def unseen_pairs(seed: int, tasks: Sequence[str]) -> Iterator[Drawn]:
    """Scenes with questions about things that were never trained on as they are.

    Their shape and colour, or object and way, form a held-out pair. "Is there" can only be answered
    with yes here.

    Args:
        seed: another set of scenes.
        tasks: kinds of questions to ask where the scene allows it.
    """
    for world, url, rng in held_out(seed, 1, ("shapes", "objects", "busy"), "held out"):
        for _ in range(20):
            scene = _look(world, url, rng, None)
            if scene is None:
                break
            t = scene.end(scene.steps - 1)
            posed = tuple(one for one in _posed(scene, tasks) if _is_unseen(one.question, t))
            if posed:
                yield scene, posed
                break


def _look(world: World, url: str, rng: Generator, wanted: str | None) -> Scene | None:
    """A stretch with a clear end, if possible one that allows the question wanted."""
    found = None
    for attempt in range(_ATTEMPTS):
        steps = int(rng.integers(STEPS[0], STEPS[1] + 1))
        start = round(float(rng.uniform(1, _LATEST)) * FPS) / FPS
        scene = Scene(world, url, start, steps, FPS)
        if not clear(world, scene.end(steps - 1)):
            continue
        found = found or scene
        if wanted is None or _allows(scene, wanted):
            return scene
        if attempt >= _INSIST:
            break
    return found


def _allows(scene: Scene, wanted: str) -> bool:
    question = scene.question(scene.steps - 1, wanted)
    return question is not None and question.answer not in _COMMON


def _posed(scene: Scene, tasks: Sequence[str]) -> tuple[Posed, ...]:
    last = scene.steps - 1
    made = [(task, scene.question(last, task)) for task in tasks]
    return tuple(Posed(task, last, question) for task, question in made if question is not None)


def _is_unseen(question: Question, t: float) -> bool:
    looks = [(thing.look(t), thing.motion(t)) for thing in question.about]
    pairs = [(look.noun, look.colour if look.noun in SHAPES else way) for look, way in looks]
    return bool(pairs) and all(never_trained(*pair) for pair in pairs)
