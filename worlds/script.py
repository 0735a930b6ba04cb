"""What exists when: the script of a world, made act by act from its seed.

An act is a minute. Every act follows from (seed, its number) alone, so any moment of an endless
world is found without playing what came before. A bridge, a still thing that outlives its act,
spans each border; it is drawn from its own seed, so both acts know it without knowing each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from worlds.vocabulary import COLOURS, DIRECTIONS, SHAPES

ACT_SECONDS = 60.0
MOST = 4  # things in view at once
_ATTEMPTS = 12
_NEAREST = 0.75  # centres closer than this share of both radii overlap by more than about 30%


@dataclass(frozen=True, slots=True)
class Mood:
    """How lively a world is; ranges are (low, high) in seconds or picture widths."""

    pause: tuple[float, float] = (1.4, 3.6)  # between two arrivals
    stay: tuple[float, float] = (5.0, 16.0)  # of a still thing
    pass_by: tuple[float, float] = (3.5, 8.0)  # of a moving thing
    speed: tuple[float, float] = (0.11, 0.26)  # picture widths per second
    radius: tuple[float, float] = (0.083, 0.156)
    moving: float = 0.55  # share of things that move


@dataclass(frozen=True, slots=True)
class Thing:
    """One object: what it is, and where it is while it exists. Lengths in picture widths."""

    colour: str
    shape: str
    radius: float
    x: float  # of the centre, half-way through its life
    y: float
    heading: str  # a direction, or "still"
    speed: float  # picture widths per second; 0 when still
    middle: float  # seconds, half-way through its life
    born: float  # seconds, first moment of existence
    gone: float  # seconds, it exists before this

    def at(self, t: float) -> tuple[float, float]:
        """Where the centre is at time `t`; may lie outside the picture."""
        if self.heading == "still":
            return self.x, self.y
        dx, dy = DIRECTIONS[self.heading]
        way = self.speed * (t - self.middle)
        return self.x + dx * way, self.y + dy * way

    def exists(self, t: float) -> bool:
        """Whether any of it may be in the picture at time `t`."""
        return self.born <= t < self.gone

    def depth(self, t: float) -> float:
        """How far the centre lies inside the picture, in its own radii; negative outside."""
        x, y = self.at(t)
        return min(x, 1 - x, y, 1 - y) / self.radius

    def seen(self, t: float) -> bool:
        """Whether it counts as in view: it exists and its centre is inside the picture."""
        return self.exists(t) and self.depth(t) > 0

    @property
    def appears(self) -> float:
        """The moment it comes into view."""
        return self._crossing(-1) if self.depth(self.born) < 0 else self.born

    @property
    def leaves(self) -> float:
        """The moment it is out of view."""
        return self._crossing(1) if self.depth(self.gone) < 0 else self.gone

    def _crossing(self, sign: int) -> float:
        dx, dy = DIRECTIONS[self.heading]
        along = self.x if dx else self.y
        ahead = (1 - along) if sign * (dx + dy) > 0 else along
        return self.middle + sign * ahead / self.speed

    @property
    def name(self) -> str:
        """Colour and shape, as an answer says them."""
        return f"{self.colour} {self.shape}"


def act(seed: int, number: int, mood: Mood) -> tuple[Thing, ...]:
    """Everything that exists during one act, in order of birth.

    Args:
        seed: of the world.
        number: of the act; it spans [number, number + 1) times `ACT_SECONDS`.
        mood: how lively the world is.
    """
    start, end = number * ACT_SECONDS, (number + 1) * ACT_SECONDS
    bridges = [_bridge(seed, number - 1, mood), _bridge(seed, number, mood)]
    rng = np.random.default_rng([seed, number + 1, 1])
    things = list(bridges)
    now = start + rng.uniform(0.5, mood.pause[1]) if number else 0.0
    while now < end - 2.5:
        newcomer = _newcomer(rng, things, now, end, mood)
        if newcomer is not None:
            things.append(newcomer)
        alone = max((t.gone for t in things if t.exists(now)), default=now) - 1.0
        now += rng.uniform(*mood.pause)
        if now - 1.1 > alone > now - mood.pause[1]:
            now = max(alone, now - mood.pause[1] + 1.1)
    return tuple(sorted(things, key=lambda thing: thing.born))


def _bridge(seed: int, number: int, mood: Mood) -> Thing:
    rng = np.random.default_rng([seed, number + 1, 2])
    border = (number + 1) * ACT_SECONDS
    born, gone = border - rng.uniform(2.0, 5.0), border + rng.uniform(3.0, 7.0)
    return _still(rng, born, gone, mood)


def _newcomer(
    rng: Generator, others: list[Thing], now: float, end: float, mood: Mood
) -> Thing | None:
    if sum(other.exists(now) for other in others) >= MOST:
        return None
    if any(abs(other.appears - now) < 1.1 for other in others):
        return None
    for _ in range(_ATTEMPTS):
        if rng.random() < mood.moving:
            thing = _mover(rng, now, mood)
        else:
            thing = _still(rng, now, now + rng.uniform(*mood.stay), mood)
        if thing is not None and thing.gone < end and _fits(thing, others):
            return thing
    return None


def _fits(thing: Thing, others: list[Thing]) -> bool:
    moments = np.linspace(thing.born, thing.gone, 9)
    for moment in moments:
        x, y = thing.at(moment)
        present = [other for other in others if other.exists(moment)]
        if len(present) >= MOST:
            return False
        if moment > thing.born + 1.5 and thing.heading != "still":
            continue  # moving things may pass over others, only not where they come in
        for other in present:
            ox, oy = other.at(moment)
            reach = _NEAREST * (thing.radius + other.radius)
            if (x - ox) ** 2 + (y - oy) ** 2 < reach**2:
                return False
    return True


def _still(rng: Generator, born: float, gone: float, mood: Mood) -> Thing:
    radius, x, y = _spot(rng, mood)
    colour, shape = _looks(rng)
    return Thing(colour, shape, radius, x, y, "still", 0.0, (born + gone) / 2, born, gone)


def _mover(rng: Generator, now: float, mood: Mood) -> Thing | None:
    """A thing that comes into being about `now`, on a path centred on a spot of the picture.

    The spot is drawn before the heading, so where a thing is says nothing about where it goes.
    """
    radius, x, y = _spot(rng, mood)
    colour, shape = _looks(rng)
    heading = str(rng.choice(list(DIRECTIONS)))
    speed, life = float(rng.uniform(*mood.speed)), float(rng.uniform(*mood.pass_by))
    dx, dy = DIRECTIONS[heading]
    along = x if dx else y
    behind, ahead = (along, 1 - along) if dx + dy > 0 else (1 - along, along)
    before = _span(behind, life / 2, radius, speed)
    after = _span(ahead, life / 2, radius, speed)
    middle = now + before
    return Thing(colour, shape, radius, x, y, heading, speed, middle, now, middle + after)


def _span(room: float, wanted: float, radius: float, speed: float) -> float:
    """Seconds on one side of the mid-point: as wanted while whole, else to just off the edge."""
    return wanted if wanted * speed < room - radius else (room + 1.1 * radius) / speed


def _spot(rng: Generator, mood: Mood) -> tuple[float, float, float]:
    radius = float(rng.uniform(*mood.radius))
    edge = radius * 1.1
    return radius, float(rng.uniform(edge, 1 - edge)), float(rng.uniform(edge, 1 - edge))


def _looks(rng: Generator) -> tuple[str, str]:
    return str(rng.choice(list(COLOURS))), str(rng.choice(list(SHAPES)))
