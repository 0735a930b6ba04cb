"""The four families of the set, and how a pair of each is drawn.

Whatever is drawn, both truths come from the logs of the two stretches, by asking each the same
question. A draft whose logs do not give what its family promises is thrown away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from evaluation.paired.choices import from_options
from evaluation.paired.reading import strict
from evaluation.twins.scripts import (
    CHANGES,
    MOTIONS,
    STEP_SECONDS,
    arriving,
    changing,
    moving,
)
from worlds.questions.catalog import ask
from worlds.questions.moment import Moment, Question, descriptions, worded
from worlds.things import Thing
from worlds.twins import MIRRORED, OPPOSITE, TWINS, Stretch, backwards
from worlds.vocabulary import COLOURS, SHAPES
from worlds.wording import NUMBERS, say_fate, say_name

NOTHING: Final = "nothing"  # the third answer to what happened, and never the right one
_STATIC: Final[dict[str, tuple[str, ...]]] = {
    "colour": tuple(COLOURS),
    "shape": tuple(SHAPES),
    "count": NUMBERS[:7],
    "exist": ("yes", "no"),
}
# Headings as the twin has them; a flip alone leaves "closer" and "away" as they are.
_TURNED: Final[dict[str, Callable[[str], str]]] = {
    "flip": lambda motion: MIRRORED.get(motion, motion),
    "reversal": lambda motion: OPPOSITE[motion],
    "both": lambda motion: OPPOSITE[MIRRORED.get(motion, motion)],
}


@dataclass(frozen=True)
class Draft:
    """A pair before it has a name and its members their roles.

    Args:
        change: which of the family's kinds it is.
        twin: how the second was made of the first.
        question: put to both.
        options: what may be answered.
        stretches: the two.
        truths: of the two, each one of the options.
    """

    change: str
    twin: str
    question: str
    options: tuple[str, ...]
    stretches: tuple[Stretch, Stretch]
    truths: tuple[str, str]


Family = Callable[[Generator, int, bool, int], Draft | None]
"""Draws the pair of a number: generator, number, whether held out, seed of the scenery."""


def reversible(rng: Generator, number: int, held: bool, scenery: int) -> Draft | None:
    """One change, and the same undone: what happened to it?"""
    name = list(CHANGES)[number % len(CHANGES)]
    change = CHANGES[name]
    made = changing(rng, change, held, scenery)
    if made is None:
        return None
    shown, thing = made
    twin = backwards(shown)
    words = _words(shown, thing, rng)
    if words is None:
        return None
    question = worded("happened", rng, words)
    truths = tuple(_fate(one, thing, change.kinds) for one in (shown, twin))
    options = tuple(_bare(kind) for kind in change.kinds)
    if set(truths) != set(options):
        return None
    pair = (str(truths[0]), str(truths[1]))
    return Draft(name, "reversal", question, (*options, NOTHING), (shown, twin), pair)


def direction(rng: Generator, number: int, held: bool, scenery: int) -> Draft | None:
    """One motion, and the same mirrored, reversed, or both: which way does it move?"""
    motion = MOTIONS[number % len(MOTIONS)]
    turns = [name for name, turned in _TURNED.items() if turned(motion) != motion]
    twin = turns[(number // len(MOTIONS)) % len(turns)]
    ways = (motion, _TURNED[twin](motion))
    made = moving(rng, ways, held, (0, 2), scenery)
    if made is None:
        return None
    shown, thing = made
    found = _both(shown, TWINS[twin](shown), "direction", rng, MOTIONS)
    if found is None or found.truths != ways or found.about != (thing,):
        return None
    return Draft(_line_of(motion), twin, found.question, MOTIONS, found.stretches, found.truths)


def sequence(rng: Generator, number: int, held: bool, scenery: int) -> Draft | None:
    """Two arrivals in both orders: which came first, or last?"""
    made = arriving(rng, held, scenery)
    if made is None:
        return None
    stretches, looks = made
    asked = ("first", "last")[number % 2]
    names = [look.name for look in looks]
    if rng.random() < 0.5:
        names.reverse()
    question = worded("order", rng, f"{asked}, the {names[0]} or the {names[1]}")
    truths = tuple(_came(one, asked == "last") for one in stretches)
    if set(truths) != set(names):
        return None
    pair = (str(truths[0]), str(truths[1]))
    return Draft(asked, "order", question, (names[0], names[1]), stretches, pair)


def static(rng: Generator, number: int, held: bool, scenery: int) -> Draft | None:
    """Something moves, and how many there are or what colour they have stays as it is."""
    task = list(_STATIC)[number % len(_STATIC)]
    twin = list(TWINS)[(number // len(_STATIC)) % len(TWINS)]
    motion = MOTIONS[int(rng.integers(len(MOTIONS)))]
    made = moving(rng, (motion, _TURNED[twin](motion)), held, (1, 3), scenery)
    if made is None:
        return None
    found = _both(made[0], TWINS[twin](made[0]), task, rng, _STATIC[task])
    if found is None or found.truths[0] != found.truths[1]:
        return None
    return Draft(task, twin, found.question, _STATIC[task], found.stretches, found.truths)


FAMILIES: Final[dict[str, Family]] = {
    "reversible": reversible,
    "direction": direction,
    "sequence": sequence,
    "static": static,
}


@dataclass(frozen=True)
class _Asked:
    question: str
    stretches: tuple[Stretch, Stretch]
    truths: tuple[str, str]
    about: tuple[Thing, ...]  # in the first


def _both(
    shown: Stretch, twin: Stretch, task: str, rng: Generator, options: tuple[str, ...]
) -> _Asked | None:
    """One question of a kind that both logs answer; None where there is none."""
    words = int(rng.integers(1 << 30))  # with the same draws it is the same question
    one, other = (_ask(stage, task, words) for stage in (shown, twin))
    if one is None or other is None or one.text != other.text:
        return None
    choices = from_options(options)
    truths = (strict(one.answer, choices), strict(other.answer, choices))
    if truths[0] is None or truths[1] is None:
        return None
    return _Asked(one.text, (shown, twin), (truths[0], truths[1]), one.about)


def _ask(stage: Stretch, task: str, words: int) -> Question | None:
    return ask(_end(stage), task, np.random.default_rng(words))


def _end(stage: Stretch) -> Moment:
    return Moment(stage, stage.last, 0.0, STEP_SECONDS)


def _fate(stage: Stretch, thing: Thing, kinds: tuple[str, str]) -> str | None:
    """The one of two changes that happened to this thing; None unless exactly one did."""
    events = _end(stage).past(*kinds) or ()
    shade = thing.shade  # a twin's things are others, but have the same colours
    found = [event.kind for event in events if event.thing.shade == shade]
    return _bare(found[0]) if len(found) == 1 == len(events) else None


def _bare(kind: str) -> str:
    """A change as an answer has it, without "it was"."""
    return say_fate(kind, "").removeprefix("It ").removeprefix("was ").rstrip(".")


def _words(stage: Stretch, thing: Thing, rng: Generator) -> str | None:
    """Words that mean this thing and no other."""
    moment = max(thing.appears, 0.0)
    ways = descriptions(thing, _end(stage).remembered(), moment, rng)
    return ways[int(rng.integers(len(ways)))] if ways else None


def _came(stage: Stretch, last: bool) -> str | None:
    came = _end(stage).past("appeared")
    if not came or len(came) != 2:
        return None
    name = came[-1 if last else 0].thing.looks[0][1].name
    return strict(say_name(name), from_options([one.thing.looks[0][1].name for one in came]))


def _line_of(motion: str) -> str:
    """A motion and its opposite under one name."""
    return " or ".join(sorted((motion, OPPOSITE[motion])))
