"""Splitting a budget of visual tokens: over the steps of one call, and over a stream."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

WARM_UP = 32  # steps averaged evenly before the running mean starts to forget
REPAY = 8  # steps over which a debt is paid back


def split_evenly(budget: int, steps: int) -> list[int]:
    """`budget` over `steps`; the first ones get what does not divide."""
    share, rest = divmod(budget, steps)
    return [share + (step < rest) for step in range(steps)]


@dataclass(frozen=True, slots=True)
class Debt:
    """What a stream still owes its budget; it bounds the drift, so the long-run ratio holds."""

    owed: float = 0.0  # tokens of budget not yet spent; negative when overspent

    def settle(self, wanted: float, share: float, cap: int) -> tuple[int, Debt]:
        """Tokens for one step, within [1, cap]: what is wanted and a part of what is owed.

        Args:
            wanted: tokens that the method would keep.
            share: the step's part of the budget.
            cap: tokens that there are.
        """
        count = min(max(round(wanted + self.owed / REPAY), 1), cap)
        return count, Debt(self.owed + share - count)


@dataclass(frozen=True, slots=True)
class Purse:
    """A stream's budget: spends more on energetic steps, less on others, and evens out.

    Each step wants `share * clip(energy / running mean, 1 / spread, spread)`, and settles its debt.
    """

    mean: float = 0.0  # running mean of the energies
    seen: int = 0  # steps
    debt: Debt = field(default_factory=Debt)

    def spend(self, energy: float, share: float, spread: float, cap: int) -> tuple[int, Purse]:
        """Tokens for one step, within [1, cap], and the purse after it."""
        seen = self.seen + 1
        mean = self.mean + (energy - self.mean) / min(seen, WARM_UP)
        factor = min(max(energy / mean, 1 / spread), spread) if mean > 0 else 1.0
        count, debt = self.debt.settle(share * factor, share, cap)
        return count, replace(self, mean=mean, seen=seen, debt=debt)
