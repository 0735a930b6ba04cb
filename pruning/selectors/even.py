"""Evenly spaced tokens of the bank: the control that a selector which listens must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from pruning.ranking import evenly
from pruning.selectors.selector import Bank, Question, Selection, Selector


@dataclass(frozen=True)
class Even(Selector):
    """Reads every (n / budget)-th token, whatever the question."""

    method: Literal["even"] = "even"

    @classmethod
    def variants(cls, width: int) -> tuple[Self, ...]:
        """The only one."""
        return (cls(),)

    def choose(self, bank: Bank, question: Question, budget: int) -> Selection:
        """See `Selector.choose`."""
        return Selection(evenly(budget, len(bank)).to(bank.features.device))
