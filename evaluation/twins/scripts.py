"""What the pairs of the set show: one change, one motion, or two arrivals, a few seconds each.

One picture must not give the answer away. A change is turned round in time, so both members share
their middle picture. What moves is at the middle of its way and of its size in the middle of the
stretch, in the central part of the picture whichever way it goes, and faces either way. Arrivals
come and go within their half, so the middle picture shows none of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from numpy.random import Generator

from evaluation.twins.casting import bystander, cast_look, clear_of, recast
from worlds.backdrop import Backdrop
from worlds.stories.cast import Cast, Story
from worlds.stories.changing import opens, resizes
from worlds.stories.meeting import is_covered, takes
from worlds.stories.moving import stands
from worlds.things import Look, Thing, Track
from worlds.twins import Stretch, stretch, swapped
from worlds.vocabulary import BOX, HEADINGS, LAMP

FRAME_SECONDS: Final = 0.25
STEP_SECONDS: Final = 0.5  # two frames
_SCENERY: Final = (0.4, 0.2, 0.15, 0.25)
_SURE: Final = 1.0  # seconds before and after a change, at least
_NOW: Final = 10.0  # story time at which a story begins
_STEPS: Final = (6, 8)
_HALF: Final = 5  # temporal steps of a half
_SWEEP: Final = 0.5  # picture widths, the longest way


@dataclass(frozen=True, slots=True)
class Change:
    """A story with one change that has an inverse.

    Args:
        story: tells it, in either order.
        kinds: the change and its inverse.
        noun: of the thing it happens to; empty for any.
        before: seconds of the stretch before the change, (low, high).
        after: seconds of it after the change, at most.
        steps: temporal steps of the stretch, (least, most).
    """

    story: Story
    kinds: tuple[str, str]
    noun: str = ""
    before: tuple[float, float] = (_SURE, 1.95)
    after: float = 1.95
    steps: tuple[int, int] = _STEPS


CHANGES: Final[dict[str, Change]] = {
    "open or close": Change(opens, ("opened", "closed"), BOX),
    "turn on or off": Change(opens, ("turned on", "turned off"), LAMP),
    "grow or shrink": Change(resizes, ("grew", "shrank")),
    "take or put down": Change(
        takes, ("picked up", "put down"), before=(1.4, 1.9), after=4.0, steps=(9, 10)
    ),
    "cover or uncover": Change(is_covered, ("covered", "uncovered")),
    "appear or leave": Change(stands, ("appeared", "left"), before=(_SURE, 2.5), after=4.0),
}
MOTIONS: Final = (*HEADINGS, "closer", "away")


def length(steps: int) -> float:
    """Time of the last frame of so many temporal steps."""
    return steps * STEP_SECONDS - FRAME_SECONDS


def changing(
    rng: Generator, change: Change, held: bool, scenery: int
) -> tuple[Stretch, Thing] | None:
    """A stretch in which one thing changes, and that thing; None where it did not work out.

    Args:
        rng: draws.
        change: what happens.
        held: whether what is there is held out of training.
        scenery: seed of what is behind.
    """
    made = change.story(rng, _NOW, Cast())
    if made is None or (change.noun and made[0].looks[0][1].noun != change.noun):
        return None
    thing, *helpers = made
    if not change.noun:
        look = cast_look(rng, held)
        if look is None:
            return None
        thing = recast(thing, look)
    moments = [event.t for event in thing.events if event.kind in change.kinds]
    last = length(int(rng.integers(change.steps[0], change.steps[1] + 1)))
    before = float(rng.uniform(max(change.before[0], last - change.after), change.before[1]))
    piece = _around(thing, helpers, moments, before, last, scenery)
    if piece is None:
        return None
    fewest = 1 if change.noun and held else 0  # a box and a lamp are no combination
    return _attended(rng, piece, held, int(rng.integers(fewest, 3)))


def moving(
    rng: Generator, ways: tuple[str, str], held: bool, company: tuple[int, int], scenery: int
) -> tuple[Stretch, Thing] | None:
    """A stretch in which one thing moves, and that thing; None where it did not work out.

    Args:
        rng: draws.
        ways: how it moves, of `MOTIONS`: here, and in the twin that will be made of it.
        held: whether what is there is held out of training.
        company: how many others, (least, most).
        scenery: seed of what is behind.
    """
    last = length(int(rng.integers(_STEPS[0], _STEPS[1] + 1)))
    look = cast_look(rng, held, motions=ways)
    if look is None:
        return None
    centre = (float(rng.uniform(0.4, 0.6)), float(rng.uniform(0.4, 0.6)))
    thing = _mover(rng, look, ways[0], centre, last)
    shown = stretch([thing], 0.0, last, Backdrop(scenery, _SCENERY))
    if rng.random() < 0.3 and (other := _other_mover(rng, thing, held, last)):
        shown = _with(shown, other)
    return _attended(rng, shown, held, int(rng.integers(company[0], company[1] + 1)))


def arriving(
    rng: Generator, held: bool, scenery: int
) -> tuple[tuple[Stretch, Stretch], tuple[Look, Look]] | None:
    """Two arrivals in both orders, and what arrives; None where it did not work out."""
    last, backdrop = length(_HALF), Backdrop(scenery, _SCENERY)
    first = cast_look(rng, held)
    second = cast_look(rng, held, {first.noun}) if first else None
    if first is None or second is None:
        return None
    looks, halves = (first, second), []
    for look in looks:
        comes = float(rng.uniform(0.8, 0.95))
        goes = comes + float(rng.uniform(1.1, 1.2))
        track, mirrored = Track.resting(*Cast().spot(rng)), bool(rng.random() < 0.5)
        thing = Thing(comes, goes, track, ((comes, look),), mirrored=mirrored)
        halves.append(stretch([thing], 0.0, last, backdrop))
    orders = swapped(halves[0], halves[1], FRAME_SECONDS)
    if rng.random() < 0.5:
        return orders, looks
    everybody = [*orders[0].cast, *orders[1].cast]
    still = bystander(rng, held, everybody, orders[0].last, 0)
    if still is None:
        return None
    one, other = (_with(order, still) for order in orders)
    return (one, other), looks


def _around(
    thing: Thing,
    helpers: list[Thing],
    moments: list[float],
    before: float,
    last: float,
    scenery: int,
) -> Stretch | None:
    """The piece about the first of some moments, if it is the only one in it and all is there."""
    if not moments:
        return None
    start = moments[0] - before
    if any(start < moment < start + last for moment in moments[1:]):
        return None
    if last - before < _SURE:
        return None
    return stretch([thing, *helpers], start, last, Backdrop(scenery, _SCENERY))


def _attended(
    rng: Generator, shown: Stretch, held: bool, count: int
) -> tuple[Stretch, Thing] | None:
    """The stretch with so many bystanders, and the first thing of its cast."""
    thing = shown.cast[0]
    for rank in range(count):
        still = bystander(rng, held, shown.cast, shown.last, rank)
        if still is None:
            return None
        shown = _with(shown, still)
    return shown, thing


def _with(shown: Stretch, more: Thing) -> Stretch:
    settled = stretch([more], 0.0, shown.last, shown.backdrop).cast
    return Stretch((*shown.cast, *settled), shown.last, shown.backdrop)


def _mover(
    rng: Generator, look: Look, motion: str, centre: tuple[float, float], last: float
) -> Thing:
    """A thing that moves one way all the time and is at the centre in the middle of it."""
    x, y = centre
    middle = float(rng.uniform(0.125, 0.15))
    mirrored = bool(rng.random() < 0.5)
    if motion in HEADINGS:
        born, gone = -1.0, last + 1.0
        reach = float(rng.uniform(0.11, _SWEEP / last)) * (gone - born) / 2
        dx, dy = (part / math.hypot(*HEADINGS[motion]) * reach for part in HEADINGS[motion])
        way = Track((born, gone), (x - dx, x + dx), (y - dy, y + dy), (middle,) * 2, (0.0,) * 2)
    else:
        born, gone = -0.5, last + 0.5
        factor = float(rng.uniform(1.7, 2.0))
        small, large = 2 * middle / (1 + factor), 2 * middle * factor / (1 + factor)
        sizes = (small, large) if motion == "closer" else (large, small)
        way = Track((0.0, last), (x, x), (y, y), sizes, (0.0, 0.0))
    return Thing(born, gone, way, ((born, look),), ((born, motion),), mirrored=mirrored)


def _other_mover(rng: Generator, thing: Thing, held: bool, last: float) -> Thing | None:
    """Something else that moves, another way and out of the way."""
    headings = [name for name in HEADINGS if name != thing.motion(0.0)]
    motion = headings[int(rng.integers(len(headings)))]
    look = cast_look(rng, held, {thing.looks[0][1].noun}, tuple(HEADINGS))
    if look is None:
        return None
    for _ in range(8):
        centre = (float(rng.uniform(0.15, 0.85)), float(rng.uniform(0.15, 0.85)))
        other = _mover(rng, look, motion, centre, last)
        inside = all(other.depth(t) > 1.0 for t in (0.0, last))
        if inside and clear_of(other, [thing], last):
            return other
    return None
