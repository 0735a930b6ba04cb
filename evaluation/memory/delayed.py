"""Delayed questions: something is shown for a while, and asked about minutes and hours later.

What comes in between is of the same world and as lively, but shows no sign and no shape of any kind
that was shown before: it cannot answer, and cannot be mistaken for what does. Up to five minutes it
is watched without a break; later a camera looks for one temporal step at a time, ever more rarely,
so that twelve hours are a few hundred steps. Clocks show the time of the stream all along.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from evaluation.memory.streams import FPS, SIZE, STEP, Put, Stream, lasted
from evaluation.scenes import held_out
from worlds.questions.moment import Moment, Question
from worlds.questions.past import recall
from worlds.script import Mood
from worlds.stories.cast import Cast
from worlds.stories.changing import counts, opens, recolours
from worlds.stories.moving import bounces, passes, stands, turns
from worlds.things import Look
from worlds.vocabulary import SHAPES, SIGN
from worlds.world import World

EVIDENCE: Final = 16.0  # seconds of the stretch that shows what is asked about
# Until when (seconds after that stretch), and how often a camera looks, seconds between two steps.
LOOKING: Final = ((300.0, STEP), (900.0, 12.0), (3600.0, 54.0), (43_200.0, 792.0))
GAPS: Final = (60.0, 300.0, 900.0, 3600.0, 43_200.0)  # when questions are put
MOST: Final = 3  # things asked about in one stream
_LEAST: Final = 2
_PLACE: Final = 6  # among the kinds of held-out scenes
_LATEST: Final = 240.0  # seconds into the world
_STARTS: Final = 12  # stretches of one world that are looked at for enough to ask about
_TRIES: Final = 16  # questions drawn at the end of a stretch
_SCENERY: Final = (0.4, 0.2, 0.15, 0.25)

_SHOWN: Final = Mood(
    ((counts, 4.0), (stands, 5.0), (passes, 1.0)),
    Cast(stay=(3.5, 7.0), objects=0.15),
    scenery=_SCENERY,
)
_STORIES: Final = (
    (stands, 4.0),
    (passes, 4.0),
    (bounces, 0.6),
    (turns, 0.5),
    (recolours, 0.6),
    (opens, 0.8),
)


@dataclass(frozen=True)
class Others(Cast):
    """A cast without some shapes.

    Attributes:
        never: nouns of the shapes that do not play.
    """

    never: frozenset[str] = frozenset()

    def look(self, rng: Generator) -> Look:
        """See `Cast.look`."""
        while True:
            look = super().look(rng)
            if look.noun not in self.never:
                return look


@dataclass(frozen=True, slots=True, eq=False)
class Delayed:
    """What is shown, what follows, and what will be asked.

    Args:
        shown: the world of the first `EVIDENCE` seconds.
        filler: the world from then on; the same scenery.
        start: world time of the first frame, seconds.
        questions: each about something that has gone before the filler begins.
    """

    shown: World
    filler: World
    start: float
    questions: tuple[Question, ...]

    def picture(self, t: float) -> NDArray[np.uint8]:
        """What is in view `t` seconds after the start, uint8 [h, w, 3]."""
        world = self.shown if t < EVIDENCE else self.filler
        return world.frame(self.start + t, SIZE)

    def stream(self) -> Stream:
        """With every question after every gap."""
        steps = schedule()
        puts = []
        for gap in GAPS:
            step = max(n for n, t in enumerate(steps) if t < EVIDENCE + gap)
            for question in self.questions:
                age = self.start + steps[step] + 1 / FPS - question.about[0].leaves
                task = "number" if _is_sign(question) else "colour"
                long = lasted(question, self.start)
                puts.append(Put(step, task, question.text, question.answer, age, long, gap))
        name = f"delayed?seed={self.shown.seed}&from={self.start:g}"
        return Stream(name, self.picture, steps, tuple(puts))


def delayed(seed: int) -> Iterator[Delayed]:
    """Streams of twelve hours, each with two or three things to ask about.

    Args:
        seed: another set of streams.
    """
    for world, _, rng in held_out(seed, _PLACE, ("shapes",)):
        shown = World(world.seed, _SHOWN)
        if found := _look(shown, rng):
            start, questions = found
            yield Delayed(shown, _filler(shown, start), start, questions)


def schedule() -> tuple[float, ...]:
    """When each temporal step begins, seconds; the last one before each bound ends at it."""
    steps = [STEP * number for number in range(round(EVIDENCE / STEP))]
    since = EVIDENCE
    for until, every in LOOKING:
        count = round((EVIDENCE + until - since) / every)
        steps += [since + every * (number + 1) - STEP for number in range(count)]
        since = EVIDENCE + until
    return tuple(steps)


def _look(shown: World, rng: Generator) -> tuple[float, tuple[Question, ...]] | None:
    """A stretch with enough to ask about, if possible with a sign: numbers are hard to guess."""
    found = None
    for _ in range(_STARTS):
        start = round(float(rng.uniform(1, _LATEST)) * FPS) / FPS
        questions = _questions(shown, start, rng)
        if len(questions) >= _LEAST:
            found = found or (start, questions)
            if any(_is_sign(question) for question in questions):
                return start, questions
    return found


def _is_sign(question: Question) -> bool:
    return question.about[0].looks[0][1].noun == SIGN


def _questions(shown: World, start: float, rng: Generator) -> tuple[Question, ...]:
    """About different things that were there and have gone by the end of the stretch."""
    moment = Moment(shown, start + EVIDENCE, start, STEP)
    found: dict[float, Question] = {}
    for _ in range(_TRIES):
        question = recall(moment, rng)
        if question is not None and len(found) < MOST:
            found.setdefault(question.about[0].born, question)
    return tuple(found.values())


def _filler(shown: World, start: float) -> World:
    """The same scenery, without signs and without any shape that was in view."""
    seen = Moment(shown, start + EVIDENCE, start).remembered()
    never = frozenset(look.noun for thing in seen for _, look in thing.looks) & frozenset(SHAPES)
    cast = Others(objects=0.5, never=never)
    return World(shown.seed, Mood(_STORIES, cast, scenery=_SCENERY))
