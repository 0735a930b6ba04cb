"""The tokens closest to any word of the question: a training-free stand-in for cross-attention.

Score of a token: its largest cosine with the question's text embeddings. It takes the place of the
trained cross-attention of QTSplus (arXiv 2511.11910, step 1) where there are no weights for the
base model; unlike there, the budget is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import torch.nn.functional as F

from pruning.ranking import best
from pruning.selectors.selector import Bank, Question, Selection, Selector


@dataclass(frozen=True)
class Closest(Selector):
    """Reads the tokens with the highest cosine to a word."""

    method: Literal["closest"] = "closest"

    @classmethod
    def variants(cls, width: int) -> tuple[Self, ...]:
        """The only one."""
        return (cls(),)

    def choose(self, bank: Bank, question: Question, budget: int) -> Selection:
        """See `Selector.choose`."""
        words = F.normalize(question.features, dim=-1)  # [q, d]
        cosines = F.normalize(bank.features, dim=-1) @ words.T  # [n, q]
        return Selection(best(cosines.amax(dim=1), budget))
