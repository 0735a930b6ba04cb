"""Which scenes and questions pruning is measured on, and which questions are reported together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from evaluation import recall, recent
from evaluation.scenes import Drawn, Posed, Scene, held_out
from evaluation.suites import Footage
from worlds.wording import NOW, PAST

FINE: Final = "fine"
FAMILIES: Final[Mapping[str, tuple[str, ...]]] = {
    "attributes": ("colour", "shape", "name"),
    "where, count": ("where", "count", "exist"),
    FINE: ("read", "state"),
    "motion": ("direction",),
    "past": PAST,
    "all of it": ("describe",),
}
# A thing below this radius, in picture widths, is smaller than one visual token of a picture of
# 6 x 6; a question about its looks or place then counts as a fine one.
SMALL: Final = 1 / 12
_LOOKS: Final = ("colour", "shape", "name", "where")

_STEPS: Final = (24, 48)  # of a calm scene
_EVERY: Final = 12  # steps between its moments of asking
_PLACE: Final = 4  # among the kinds of held-out scenes
_LATEST: Final = 300.0  # seconds into the world


def family(scene: Scene, posed: Posed) -> str:
    """The family of a question."""
    t = scene.end(posed.step)
    about = posed.question.about
    if posed.task in _LOOKS and about and all(thing.radius(t) < SMALL for thing in about):
        return FINE
    return next(name for name, tasks in FAMILIES.items() if posed.task in tasks)


def calm(seed: int, tasks: Sequence[str]) -> Iterator[Drawn]:
    """Scenes of 12 to 24 s of a fixed camera where little happens, asked about every 6 s.

    Args:
        seed: another set of scenes.
        tasks: kinds of questions to ask where the scene allows it.
    """
    for world, url, rng in held_out(seed, _PLACE, ("calm",)):
        steps = int(rng.choice(range(_STEPS[0], _STEPS[1] + 1, _EVERY)))
        start = round(float(rng.uniform(1, _LATEST)) * recent.FPS) / recent.FPS
        scene = Scene(world, url, start, steps, recent.FPS)
        posed = []
        for step in range(_EVERY - 1, steps, _EVERY):
            made = ((task, scene.question(step, task)) for task in tasks)
            posed += [Posed(task, step, found) for task, found in made if found is not None]
        if posed:
            yield scene, tuple(posed)


CALM: Final = "calm"
SUITES: Final[Mapping[str, tuple[Footage, Sequence[str]]]] = {
    "short": (Footage(recent.recent, recent.FPS, scenes=100, dark=0), (*NOW, *PAST)),
    CALM: (Footage(calm, recent.FPS, scenes=12, dark=0), (*NOW, *PAST)),
    "long": (Footage(recall.long_ago, recall.FPS, scenes=24, dark=0), recall.TASKS),
}
