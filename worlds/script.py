"""What exists when: the script of a world, made act by act from its seed.

An act is a minute. Every act follows from (seed, its number) alone, so any moment of an endless
world is found without playing what came before. A bridge, a still thing that outlives its act,
spans each border; it is drawn from its own seed, so both acts know it without knowing each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.random import Generator

from worlds.stories.cast import Cast, Story
from worlds.things import Event, Thing, Track

ACT_SECONDS: Final = 60.0
_ATTEMPTS: Final = 12
_NEAREST: Final = 0.85  # centres closer than this share of both radii hide too much
_APART: Final = 1.1  # seconds between two arrivals, and around anything that happens to a thing


@dataclass(frozen=True, slots=True)
class Mood:
    """How lively a world is and what happens in it."""

    stories: tuple[tuple[Story, float], ...]  # and how often, relative to each other
    cast: Cast = field(default_factory=Cast)
    pause: tuple[float, float] = (1.4, 3.6)  # seconds between two arrivals
    most: int = 4  # things in view at once
    scenery: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)  # of `scenery.KINDS`


def act(seed: int, number: int, mood: Mood) -> tuple[Thing, ...]:
    """Everything that exists during one act, in order of birth.

    Args:
        seed: of the world.
        number: of the act; it spans [number, number + 1) times `ACT_SECONDS`.
        mood: how lively the world is.
    """
    start, end = number * ACT_SECONDS, (number + 1) * ACT_SECONDS
    rng = np.random.default_rng([seed, number + 1, 1])
    things = [_bridge(seed, number - 1, mood), _bridge(seed, number, mood)]
    now = start + rng.uniform(0.5, mood.pause[1]) if number else 0.0
    while now < end - 2.5:
        things += _newcomers(rng, things, now, end, mood)
        alone = max((t.gone for t in things if t.exists(now)), default=now) - 1.0
        now += rng.uniform(*mood.pause)
        if now - _APART > alone > now - mood.pause[1]:
            now = max(alone, now - mood.pause[1] + _APART)
    return tuple(sorted(things, key=lambda thing: thing.born))


def _bridge(seed: int, number: int, mood: Mood) -> Thing:
    rng = np.random.default_rng([seed, number + 1, 2])
    border = (number + 1) * ACT_SECONDS
    born, gone = border - rng.uniform(2.0, 5.0), border + rng.uniform(3.0, 7.0)
    track, look = Track.resting(*mood.cast.spot(rng)), mood.cast.look(rng)
    return Thing(float(born), float(gone), track, ((float(born), look),))


def _newcomers(
    rng: Generator, others: list[Thing], now: float, end: float, mood: Mood
) -> list[Thing]:
    if _crowd(others, now) >= mood.most:
        return []
    if any(abs(other.appears - now) < _APART for other in others if not other.helper):
        return []
    weights = np.array([weight for _, weight in mood.stories])
    for _ in range(_ATTEMPTS):
        story = mood.stories[int(rng.choice(len(weights), p=weights / weights.sum()))][0]
        made = story(rng, now, mood.cast)
        if made and _fit(made, others, end, mood):
            return made
    return []


def _crowd(things: list[Thing], t: float) -> int:
    return sum(thing.exists(t) for thing in things if not thing.helper)


def _fit(made: list[Thing], others: list[Thing], end: float, mood: Mood) -> bool:
    """Whether newcomers end with the act, crowd nobody, and nothing else happens as they act."""
    if any(thing.gone >= end for thing in made):
        return False
    theirs = [event for other in others for event in other.events]
    if any(_clash(mine, event) for thing in made for mine in thing.events for event in theirs):
        return False
    things = [thing for thing in made if not thing.helper]
    newcomers = len(things)
    return all(_fits(thing, newcomers, others, mood.most) for thing in things) and not any(
        _hides(thing, others) for thing in made if thing.helper
    )


def _clash(a: Event, b: Event) -> bool:
    """Whether two events are too close in time; a thing may go while another one comes or goes."""
    kinds = {a.kind, b.kind}
    return abs(a.t - b.t) < _APART and not ("left" in kinds and kinds <= {"appeared", "left"})


def _fits(thing: Thing, newcomers: int, others: list[Thing], most: int) -> bool:
    for moment in np.linspace(thing.born, thing.gone, 9):
        x, y = thing.at(moment)
        present = [other for other in others if other.exists(moment)]
        if _crowd(present, moment) + newcomers > most:
            return False
        if moment > thing.born + 1.5 and thing.motion(moment) != "still":
            continue  # moving things may pass over others, only not where they come in
        for other in present:
            if _touch(x, y, thing.radius(moment), other, moment):
                return False
    return True


def _hides(helper: Thing, others: list[Thing]) -> bool:
    """Whether a hand or a cover lies on something it has nothing to do with."""
    for moment in np.linspace(helper.born, helper.gone, 9):
        x, y = helper.at(moment)
        present = [other for other in others if other.exists(moment)]
        if any(_touch(x, y, helper.radius(moment), other, moment) for other in present):
            return True
    return False


def _touch(x: float, y: float, radius: float, other: Thing, t: float) -> bool:
    u, v = other.at(t)
    reach = _NEAREST * (radius + other.radius(t))
    return (x - u) ** 2 + (y - v) ** 2 < reach**2
