"""How often which size of a number was seen; constant in size however many come."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate

# Seconds. Fine where a person begins to notice, coarse where only "too long" matters.
SECONDS = (
    0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Counts:
    """What a histogram holds at one moment.

    Args:
        bounds: rising; a number belongs to the first that is not below it.
        counts: one per bound and one for what exceeds all.
        total: sum of the numbers.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float

    @property
    def number(self) -> int:
        """How many numbers were seen."""
        return sum(self.counts)

    def cumulative(self) -> tuple[int, ...]:
        """How many were at most each bound; last, all."""
        return tuple(accumulate(self.counts))


class Histogram:
    """Counts numbers. One caller at a time.

    Args:
        bounds: rising.

    Raises:
        ValueError: if they do not rise.
    """

    def __init__(self, bounds: tuple[float, ...] = SECONDS) -> None:
        if not bounds or sorted(set(bounds)) != list(bounds):
            raise ValueError("the bounds of a histogram must rise")
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    @property
    def counts(self) -> Counts:
        """What was seen so far; a copy."""
        return Counts(self._bounds, tuple(self._counts), self._total)

    def note(self, number: float) -> None:
        """One more."""
        self._counts[bisect_left(self._bounds, number)] += 1
        self._total += number

    def add(self, more: Counts) -> None:
        """All that another one has seen.

        Raises:
            ValueError: if its bounds are others.
        """
        if more.bounds != self._bounds:
            raise ValueError("histograms of other bounds cannot be added")
        self._counts = [a + b for a, b in zip(self._counts, more.counts, strict=True)]
        self._total += more.total
