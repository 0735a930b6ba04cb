"""A world that plays for ever: pictures at any time, and the truth about any time."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from worlds.painter import Painter
from worlds.script import ACT_SECONDS, Mood, Thing, act
from worlds.vocabulary import place

_ACTS_KEPT = 4


class Event(NamedTuple):
    """Something came into view or went out of it."""

    t: float  # seconds
    kind: str  # "appeared" or "left"
    thing: Thing


class World:
    """One endless rendered scene; everything follows from its seed and mood.

    Not safe for use by two threads at once: it keeps the last few acts and one noise tile.

    Args:
        seed: any non-negative integer.
        mood: how lively it is.
    """

    def __init__(self, seed: int, mood: Mood | None = None) -> None:
        if seed < 0:
            raise ValueError(f"a world's seed is not negative: {seed}")
        self.seed = seed
        self.mood = mood or Mood()
        self._painter = Painter(seed)
        self._acts: OrderedDict[int, tuple[Thing, ...]] = OrderedDict()

    def frame(self, t: float, size: tuple[int, int] = (384, 384)) -> NDArray[np.uint8]:
        """The picture at time `t`.

        Args:
            t: seconds, not negative.
            size: height and width in pixels.

        Returns:
            RGB, uint8 [h, w, 3].
        """
        return self._painter.paint(self.things(t), t, size)

    def things(self, t: float) -> list[Thing]:
        """What exists at time `t`, oldest first; some may be outside the picture's edge."""
        return [thing for thing in self._act(int(t // ACT_SECONDS)) if thing.exists(t)]

    def seen(self, t: float) -> list[Thing]:
        """What is in view at time `t`, oldest first."""
        return [thing for thing in self.things(t) if thing.seen(t)]

    def events(self, start: float, end: float) -> list[Event]:
        """What came into view or went out of it in [start, end), in order."""
        things: dict[tuple[float, str], Thing] = {}
        for number in range(int(start // ACT_SECONDS), int(end // ACT_SECONDS) + 1):
            things.update({(t.born, t.name): t for t in self._act(number)})
        found = [Event(t.appears, "appeared", t) for t in things.values()]
        found += [Event(t.leaves, "left", t) for t in things.values()]
        return sorted((e for e in found if start <= e.t < end), key=lambda event: event.t)

    def truth(self, t: float) -> dict[str, Any]:
        """The truth about time `t` as JSON values: objects in view now, and recent events."""
        objects = [
            {
                "colour": thing.colour,
                "shape": thing.shape,
                "place": place(*thing.at(t)),
                "moving": thing.heading,
                "appeared": round(thing.appears, 2),
                "x": round(thing.at(t)[0], 3),
                "y": round(thing.at(t)[1], 3),
                "radius": round(thing.radius, 3),
            }
            for thing in self.seen(t)
        ]
        events = [
            {"t": round(e.t, 2), "event": e.kind, "colour": e.thing.colour, "shape": e.thing.shape}
            for e in self.events(max(0.0, t - 30), t)
        ]
        return {"t": t, "objects": objects, "events": events}

    def _act(self, number: int) -> tuple[Thing, ...]:
        if number not in self._acts:
            self._acts[number] = act(self.seed, number, self.mood)
            while len(self._acts) > _ACTS_KEPT:
                self._acts.popitem(last=False)
        return self._acts[number]
