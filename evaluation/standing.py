"""Scenes with standing questions: when words are due, and what may then be said.

One vigil over all that changes, one for something that comes in about half of the scenes, and one
for something that does not come, often half of what is there. Numbers of things are not awaited:
crossing one is no event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from numpy.random import Generator

from evaluation.rows import Due, Vigil
from evaluation.scenes import Scene, held_out
from worlds.catalog import MOODS
from worlds.questions.moment import worded
from worlds.questions.standing import AWAITED
from worlds.things import Event
from worlds.vocabulary import COLOURS, OBJECTS, SHAPES
from worlds.wording import say_event, with_article

FPS: Final = 4.0
STEPS: Final = (12, 24)
NEAR: Final = 1.0  # seconds between an event and words about it
_LATEST: Final = 300.0  # seconds into the world
_TRIES: Final = 200
_VERBS: Final = {"appeared": ("appears", "comes in"), "left": ("leaves", "goes away")}
_KINDS: Final = frozenset(kind for kinds in AWAITED.values() for kind in kinds)

Watched: TypeAlias = tuple[Scene, tuple[Vigil, ...]]


@dataclass(frozen=True, slots=True)
class Awaited:
    """What an alert is for."""

    words: str
    kinds: tuple[str, ...]
    name: str = ""  # of the thing, or its noun; empty for anything

    def __call__(self, event: Event) -> bool:
        """Whether this is it."""
        look = event.thing.look(event.t)
        return event.kind in self.kinds and self.name in ("", look.noun, look.name)


def standing(seed: int, tasks: Sequence[str]) -> Iterator[Watched]:
    """Scenes of all moods with three vigils each, or as many as `tasks` names kinds of.

    Args:
        seed: another set of scenes.
        tasks: of `note` and `alert`.
    """
    for world, url, rng in held_out(seed, 3, list(MOODS)):
        steps = int(rng.integers(STEPS[0], STEPS[1] + 1))
        start = round(float(rng.uniform(1, _LATEST)) * FPS) / FPS
        scene = Scene(world, url, start, steps, FPS)
        events = world.events(start - NEAR, scene.end(steps - 1) + NEAR)
        coming = _coming(rng, events, [e for e in events if _is_judged(scene, e)])
        absent = _absent(rng, events)
        vigils = [
            _vigil(scene, events, "note", worded("note", rng), lambda event: True),
            *(_vigil(scene, events, "alert", worded("alert", rng, each.words), each)
              for each in (coming, absent)),
        ]  # fmt: skip
        yield scene, tuple(vigil for vigil in vigils if vigil.task in tasks)


def _coming(rng: Generator, events: Sequence[Event], judged: Sequence[Event]) -> Awaited:
    """In half of the scenes where anything can be awaited, something that happens."""
    awaited = [event for event in judged if event.kind in _KINDS]
    if not awaited or rng.random() < 0.5:
        return _absent(rng, events)
    event = awaited[int(rng.integers(len(awaited)))]
    if event.kind in _VERBS and rng.random() < 0.65:
        look = event.thing.look(event.t)
        return _named(rng, event.kind, look.noun if rng.random() < 0.3 else look.name)
    words = str(rng.choice([words for words, kinds in AWAITED.items() if event.kind in kinds]))
    return Awaited(words, AWAITED[words])


def _absent(rng: Generator, events: Sequence[Event]) -> Awaited:
    """Something that does not happen here."""
    for _ in range(_TRIES):
        made = _anything(rng, events)
        if not any(made(event) for event in events):
            return made
    raise RuntimeError(f"everything happens within {len(events)} events")


def _anything(rng: Generator, events: Sequence[Event]) -> Awaited:
    if rng.random() < 0.35:
        words = str(rng.choice(list(AWAITED)))
        return Awaited(words, AWAITED[words])
    kind = "appeared" if rng.random() < 0.65 else "left"
    shapes = [e.thing.look(e.t) for e in events if e.thing.look(e.t).noun in SHAPES]
    if shapes and rng.random() < 0.5:  # half of what is there
        look = shapes[int(rng.integers(len(shapes)))]
        half = bool(rng.random() < 0.5)
        noun = look.noun if half else str(rng.choice(list(SHAPES)))
        colour = str(rng.choice(list(COLOURS))) if half else look.colour
        return _named(rng, kind, f"{colour} {noun}")
    if rng.random() < 0.5:
        return _named(rng, kind, str(rng.choice(list(OBJECTS))))
    return _named(rng, kind, f"{rng.choice(list(COLOURS))} {rng.choice(list(SHAPES))}")


def _named(rng: Generator, kind: str, name: str) -> Awaited:
    what = with_article(name) if kind == "appeared" else f"the {name}"
    return Awaited(f"{what} {_VERBS[kind][int(rng.integers(2))]}", (kind,), name)


def _is_judged(scene: Scene, event: Event) -> bool:
    """Whether it comes after the first step, and words about it may come in time."""
    return scene.end(0) <= event.t < scene.end(scene.steps - 1) - NEAR


def _vigil(
    scene: Scene,
    events: Sequence[Event],
    task: str,
    text: str,
    matches: Callable[[Event], bool],
) -> Vigil:
    chosen = [event for event in events if matches(event)]
    steps: dict[int, list[Event]] = {}
    for event in chosen:
        if _is_judged(scene, event):
            ends = range(1, scene.steps)
            steps.setdefault(next(s for s in ends if event.t < scene.end(s)), []).append(event)
    return Vigil(
        task,
        text,
        tuple(Due(same[0].t - scene.start, tuple(map(_said, same))) for same in steps.values()),
        tuple(event.t - scene.start for event in chosen if not _is_judged(scene, event)),
        scene.url,
        scene.start,
        tuple(scene.end(step) - scene.start for step in range(1, scene.steps)),
    )


def _said(event: Event) -> str:
    """The words for it; something that changes colour is called what it was."""
    before = event.t - 0.01 if event.kind == "changed colour" else event.t
    return say_event(event.kind, event.thing.look(before).name, event.detail)
