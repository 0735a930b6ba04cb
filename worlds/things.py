"""Things: what exists in a world, how it looks, where it is, and what happens to it."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from worlds.vocabulary import HELPERS, SIGN

_FINE: Final = 0.02  # seconds between the looks that find when a thing comes into view

# What each event is when time runs backwards.
INVERSE: Final[dict[str, str]] = {
    "appeared": "left",
    "opened": "closed",
    "turned on": "turned off",
    "grew": "shrank",
    "picked up": "put down",
    "covered": "uncovered",
    "changed colour": "changed colour",
    "changed number": "changed number",
    "jumped": "jumped",
    "collided": "collided",
}
INVERSE.update({backward: forward for forward, backward in list(INVERSE.items())})


@dataclass(frozen=True, slots=True)
class Look:
    """What a thing looks like, in words."""

    noun: str  # a shape, an object, a sign, a box, a lamp, or a helper
    colour: str = ""  # of shapes and signs; objects are as they are
    state: str = ""  # digits of a sign, "open" or "closed" of a box, "on" or "off" of a lamp

    @property
    def name(self) -> str:
        """As an answer says it: a shape with its colour, anything else by its noun."""
        return f"{self.colour} {self.noun}" if self.colour and self.noun != SIGN else self.noun


@dataclass(frozen=True, slots=True)
class Track:
    """Waypoints in order of time; straight lines between them. Lengths in picture widths."""

    t: tuple[float, ...]  # seconds
    x: tuple[float, ...]  # of the centre
    y: tuple[float, ...]
    radius: tuple[float, ...]
    angle: tuple[float, ...]  # radians, clockwise

    @classmethod
    def resting(cls, x: float, y: float, radius: float) -> Track:
        """In one place for ever."""
        return cls((0.0,), (x,), (y,), (radius,), (0.0,))


@dataclass(frozen=True, slots=True)
class Event:
    """Something that truly happened."""

    t: float  # seconds
    kind: str  # one of `INVERSE`
    thing: Thing
    detail: str = ""  # what it became, where that needs words


@dataclass(frozen=True)
class Thing:
    """One thing over its whole life."""

    born: float  # seconds, first moment of existence
    gone: float  # seconds, it exists before this
    track: Track
    looks: tuple[tuple[float, Look], ...]  # from when on, and how it looks then
    motions: tuple[tuple[float, str], ...] = (
        (0.0, "still"),
    )  # from when on, one of `MOTIONS` or "carried"
    marks: tuple[tuple[float, str, str], ...] = ()  # time, kind, detail of what happens to it
    layer: int = 0  # higher ones cover lower ones
    mirrored: bool = False
    shade: float | None = None  # what the exact tint of its colours follows from; None is `born`

    def at(self, t: float) -> tuple[float, float]:
        """Where the centre is at time `t`; may lie outside the picture."""
        way = self.track
        if len(way.t) == 1:
            return way.x[0], way.y[0]
        return float(np.interp(t, way.t, way.x)), float(np.interp(t, way.t, way.y))

    def radius(self, t: float) -> float:
        """Half its size at time `t`."""
        return float(np.interp(t, self.track.t, self.track.radius))

    def angle(self, t: float) -> float:
        """How far it is turned, radians clockwise."""
        return float(np.interp(t, self.track.t, self.track.angle))

    def look(self, t: float) -> Look:
        """How it looks at time `t`."""
        return self.looks[max(0, bisect_right(self.looks, t, key=lambda one: one[0]) - 1)][1]

    def motion(self, t: float) -> str:
        """How it moves at time `t`: one of `MOTIONS`, or "carried" by a hand."""
        return self.motions[max(0, bisect_right(self.motions, t, key=lambda one: one[0]) - 1)][1]

    def exists(self, t: float) -> bool:
        """Whether any of it may be in the picture at time `t`."""
        return self.born <= t < self.gone

    def depth(self, t: float) -> float:
        """How far the centre lies inside the picture, in its own radii; negative outside."""
        x, y = self.at(t)
        return min(x, 1 - x, y, 1 - y) / self.radius(t)

    def seen(self, t: float) -> bool:
        """Whether it counts as in view: it exists and its centre is inside the picture."""
        return self.exists(t) and self.depth(t) > 0

    def covered(self, t: float) -> bool:
        """Whether something was laid over it that still hides it at time `t`."""
        done = [kind for at, kind, _ in self.marks if at <= t]
        return bool(done) and done[-1] == "covered"

    @property
    def helper(self) -> bool:
        """Whether it only acts on others: a hand, a cover."""
        return self.looks[0][1].noun in HELPERS

    @cached_property
    def appears(self) -> float:
        """The moment it comes into view; `gone` if it never does."""
        return self._inside(first=True)

    @cached_property
    def leaves(self) -> float:
        """The moment it is out of view for good."""
        return self._inside(first=False)

    def _inside(self, first: bool) -> float:
        if self.depth(self.born if first else self.gone) > 0:
            return self.born if first else self.gone
        times = np.arange(self.born, self.gone, _FINE)
        x = np.interp(times, self.track.t, self.track.x)
        y = np.interp(times, self.track.t, self.track.y)
        inside = np.flatnonzero((x > 0) & (x < 1) & (y > 0) & (y < 1))
        if not len(inside):
            return self.gone
        return float(times[inside[0 if first else -1]])

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """All that happens to it, in order."""
        if self.helper:
            return ()
        found = [Event(t, kind, self, detail) for t, kind, detail in self.marks]
        found.append(Event(self.appears, "appeared", self))
        found.append(Event(self.leaves, "left", self))
        return tuple(sorted(found, key=lambda event: event.t))
