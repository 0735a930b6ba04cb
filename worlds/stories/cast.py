"""Who plays: looks, places, sizes and headings of the things of one world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from numpy.random import Generator

from worlds.things import Look, Thing
from worlds.vocabulary import COLOURS, HEADINGS, OBJECTS, SHAPES, held_out

Combinations: TypeAlias = Literal["trained", "held out", "any"]
Story: TypeAlias = "Callable[[Generator, float, Cast], list[Thing] | None]"
"""Things that come into being about a time; None where it did not work out this time."""

CARDS: Final = ("white", "yellow", "orange", "pink")  # bright enough for dark digits


@dataclass(frozen=True, slots=True)
class Cast:
    """How large, fast and long-lived things are; ranges are (low, high)."""

    stay: tuple[float, float] = (5.0, 16.0)  # seconds, of a still thing
    pass_by: tuple[float, float] = (3.5, 8.0)  # seconds, of a moving thing
    speed: tuple[float, float] = (0.11, 0.26)  # picture widths per second
    radius: tuple[float, float] = (0.083, 0.156)  # picture widths
    objects: float = 0.0  # share of objects among things; the rest are shapes
    combinations: Combinations = "any"  # of shape and colour, object and heading

    def look(self, rng: Generator) -> Look:
        """A shape with its colour, or an object."""
        if rng.random() < self.objects:
            return Look(str(rng.choice(OBJECTS)))
        while True:
            noun, colour = str(rng.choice(list(SHAPES))), str(rng.choice(list(COLOURS)))
            if self._allowed(rng, noun, colour):
                return Look(noun, colour)

    def heading(self, rng: Generator, look: Look) -> str:
        """Where a thing that looks so goes; straight ones twice as often as slanting ones."""
        while True:
            kinds = list(HEADINGS)[: 4 if rng.random() < 0.5 else 8]
            heading = str(rng.choice(kinds))
            if look.noun not in OBJECTS or self._allowed(rng, look.noun, heading):
                return heading

    def may_go(self, look: Look, *motions: str) -> bool:
        """Whether a thing that looks so may move in all these ways, where the story chooses them.

        Only worlds to train on forbid any: elsewhere such stories would become too rare.
        """
        return self.combinations != "trained" or not any(held_out(look.noun, m) for m in motions)

    def _allowed(self, rng: Generator, noun: str, partner: str) -> bool:
        unseen = held_out(noun, partner)
        if self.combinations == "held out":
            return unseen or rng.random() < 0.02
        return self.combinations == "any" or not unseen

    def spot(self, rng: Generator, least: float = 0.0) -> tuple[float, float, float]:
        """Centre and radius of a thing that lies wholly inside the picture.

        Args:
            rng: draws.
            least: radius at least.
        """
        radius = float(rng.uniform(max(least, self.radius[0]), max(least, self.radius[1])))
        edge = radius * 1.1
        return float(rng.uniform(edge, 1 - edge)), float(rng.uniform(edge, 1 - edge)), radius
