"""The test between two models that answered the same groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb

from core.errors import DataError
from evaluation.paired.choices import normal
from evaluation.paired.groups import Group, Item
from evaluation.paired.judging import Judged


@dataclass(frozen=True, slots=True)
class McNemar:
    """Groups that only one of two models has all right.

    Args:
        first: only the first.
        second: only the second.
    """

    first: int
    second: int

    @property
    def p(self) -> float:
        """Probability of so uneven a split, or a more uneven one, between equal models (exact)."""
        n = self.first + self.second
        tail = sum(comb(n, k) for k in range(min(self.first, self.second) + 1))
        return min(1.0, float(Fraction(2 * tail, 1 << n)))

    @property
    def marked(self) -> str:
        """For tables: p with an arrow where the first is better or worse; - where they are even."""
        if self.first == self.second:
            return "-"
        return f"{self.p:.3f} {'↑' if self.first > self.second else '↓'}"


def mcnemar(first: Sequence[Judged], second: Sequence[Judged]) -> McNemar:
    """Compare two models on the same groups, whole groups only.

    Args:
        first: of one model, any order.
        second: of the other; see `require_same`.
    """
    theirs = {one.group.key: one.all for one in second}
    outcomes = [(one.all, theirs[one.group.key]) for one in first]
    return McNemar(outcomes.count((True, False)), outcomes.count((False, True)))


def require_same(first: Sequence[Group], second: Sequence[Group]) -> None:
    """Refuse two files that do not hold the same questions.

    Rows that one of them lacks are no difference here; see `groups.require_complete`.

    Raises:
        DataError: names the first group that only one has, or that differs.
    """
    theirs = {group.key: group for group in second}
    alone = sorted({group.key for group in first} ^ theirs.keys())
    if alone:
        raise DataError(f"{alone[0]!r} is in one of the two files only")
    for group in first:
        for ours, other in _shared(group, theirs[group.key]):
            if (normal(ours.question), ours.truth) != (normal(other.question), other.truth):
                raise DataError(
                    f"{other.place}: {group.key!r} is another question than at {ours.place}"
                )


def _shared(first: Group, second: Group) -> Iterator[tuple[Item, Item]]:
    theirs = {item.role: item for item in second.items}
    for item in first.items:
        if item.role in theirs:
            yield item, theirs[item.role]
