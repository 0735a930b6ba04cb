"""How many of how many, with the chance level and an interval."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

_Z: Final = 1.959963984540054  # of a 95% interval


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many.

    Args:
        right: successes, 0 to `n`.
        n: trials, at least 1.
        chance: share expected of guessing, 0 to 1.
    """

    right: int
    n: int
    chance: float

    @property
    def value(self) -> float:
        """The share, 0 to 1."""
        return self.right / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95% interval, as if the trials were independent.

        Answers of one group are not, so the interval of plain accuracy is too narrow; those of
        whole groups are sound.
        """
        middle = self.value + _Z**2 / (2 * self.n)
        spread = _Z * sqrt(self.value * (1 - self.value) / self.n + (_Z / (2 * self.n)) ** 2)
        scale = 1 + _Z**2 / self.n
        # Rounding may leave the bounds a hair beside the share itself where it is 0 or 1.
        low, high = (middle - spread) / scale, (middle + spread) / scale
        return max(0.0, min(low, self.value)), min(1.0, max(high, self.value))


def share(name: str, successes: Sequence[bool], chance: float) -> dict[str, Share]:
    """A named share, or nothing of nothing."""
    return {name: Share(sum(successes), len(successes), chance)} if successes else {}


def mean(values: Iterable[float]) -> float:
    """The mean, 0 of nothing."""
    found = list(values)
    return sum(found) / len(found) if found else 0.0
