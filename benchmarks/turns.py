"""Memories that take turns: each with the same segments and questions, each first at some time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import Final

from benchmarks.footage import Footage
from benchmarks.meters import seconds
from core.frames import Segment
from core.tokens import VisualTokens
from engine.side_by_side import SideBySide

QUESTIONS: Final = ("What number was on the sign?", "What did the hand take?", "What do you see?")

Look = tuple[Segment, VisualTokens]


@dataclass(frozen=True, slots=True)
class Cost:
    """Medians, in milliseconds.

    Args:
        segment: until it is remembered, its pictures encoded before.
        first_token: of an answer.
    """

    segment: float
    first_token: float


def look(film: Footage, number: int, t: float) -> Look:
    """Frames and tokens of the n-th temporal step of a stream whose pictures repeat.

    Args:
        film: segments of one temporal step each.
        number: of the step.
        t: when its first frame came, stream seconds.
    """
    place, frames = number % len(film.tokens), film.segments[0].frames
    gap = frames[1].pts - frames[0].pts
    before = film.segments[place].frames
    moved = tuple(replace(f, pts=t + n * gap, arrived=t) for n, f in enumerate(before))
    return Segment(number, moved), replace(film.tokens[place], times=(t + gap / 2,))


def costs(memories: SideBySide, coming: Sequence[Mapping[str, Look]]) -> dict[str, Cost]:
    """What each open memory takes for a segment and for the first token of an answer.

    Args:
        memories: side by side.
        coming: for each round what each of them sees; another one begins each time.
    """
    names, device = memories.open_names, memories.model.device
    taken: dict[str, list[float]] = {name: [] for name in names}
    spoken: dict[str, list[float]] = {name: [] for name in names}
    for number, looks in enumerate(coming):
        question = QUESTIONS[number % len(QUESTIONS)]
        for turn in range(len(names)):
            name = names[(turn + number) % len(names)]
            segment, tokens = looks[name]
            took = seconds(device, partial(memories.perceive, segment, {name: tokens}))
            taken[name].append(1000 * took)
            took = seconds(device, partial(memories.ask, [(name, question)], 1))
            spoken[name].append(1000 * took)
    return {name: Cost(median(taken[name]), median(spoken[name])) for name in names}
