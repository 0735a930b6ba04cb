"""A world that plays for ever: pictures at any time, and the truth about any time."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from worlds.painter import Painter
from worlds.scenery import Scenery
from worlds.script import ACT_SECONDS, Mood, act
from worlds.things import Event, Thing
from worlds.vocabulary import place

_ACTS_KEPT: Final = 4


class World:
    """One endless rendered scene; everything follows from its seed and mood.

    Not safe for use by two threads at once: it keeps the last few acts and one noise tile.

    Args:
        seed: any non-negative integer.
        mood: how lively it is.
    """

    def __init__(self, seed: int, mood: Mood) -> None:
        if seed < 0:
            raise ValueError(f"a world's seed is not negative: {seed}")
        self.seed = seed
        self.mood = mood
        self.painter = Painter(Scenery(seed, mood.scenery))
        self._acts: OrderedDict[int, tuple[Thing, ...]] = OrderedDict()

    def frame(self, t: float, size: tuple[int, int] = (384, 384)) -> NDArray[np.uint8]:
        """The picture at time `t`.

        Args:
            t: seconds, not negative.
            size: height and width in pixels.

        Returns:
            RGB, uint8 [h, w, 3].
        """
        return self.painter.paint(self.things(t), t, size)

    def things(self, t: float) -> list[Thing]:
        """What exists at time `t`, oldest first; some may be outside the picture's edge."""
        return [thing for thing in self._act(int(t // ACT_SECONDS)) if thing.exists(t)]

    def seen(self, t: float) -> list[Thing]:
        """What is in view at time `t`, oldest first, without hands and covers."""
        return [thing for thing in self.things(t) if thing.seen(t) and not thing.helper]

    def events(self, start: float, end: float) -> list[Event]:
        """What happened in [start, end), in order."""
        found: dict[tuple[float, str, Thing], Event] = {}  # a bridge is known to two acts
        for number in range(max(0, int(start // ACT_SECONDS)), int(end // ACT_SECONDS) + 1):
            for thing in self._act(number):
                for event in thing.events:
                    if start <= event.t < end:
                        found[event.t, event.kind, thing] = event
        return sorted(found.values(), key=lambda event: event.t)

    def truth(self, t: float) -> dict[str, Any]:
        """The truth about time `t` as JSON values: objects in view now, and recent events."""
        objects = []
        for thing in self.seen(t):
            look, (x, y) = thing.look(t), thing.at(t)
            objects.append(
                {
                    "name": look.name,
                    "colour": look.colour,
                    "shape": look.noun,
                    "state": look.state,
                    "place": place(x, y),
                    "moving": thing.motion(t),
                    "covered": thing.covered(t),
                    "appeared": round(thing.appears, 2),
                    "x": round(x, 3),
                    "y": round(y, 3),
                    "radius": round(thing.radius(t), 3),
                }
            )
        return {"t": t, "objects": objects, "events": self.log(max(0.0, t - 30), t)}

    def log(self, start: float, end: float) -> list[dict[str, Any]]:
        """What happened in [start, end) as JSON values, in order."""
        return [
            {
                "t": round(event.t, 2),
                "event": event.kind,
                "name": event.thing.look(event.t).name,
                "colour": event.thing.look(event.t).colour,
                "shape": event.thing.look(event.t).noun,
                "detail": event.detail,
            }
            for event in self.events(start, end)
        ]

    def _act(self, number: int) -> tuple[Thing, ...]:
        if number not in self._acts:
            self._acts[number] = act(self.seed, number, self.mood)
            while len(self._acts) > _ACTS_KEPT:
                self._acts.popitem(last=False)
        return self._acts[number]
