"""HoliTom (arXiv 2505.21334), its inner part: late merging by what the question attends to.

At layer k of the language model (18 of 28 as published) the tokens that the question's last token
attends to most stay, half of them by default; every other one is averaged into the kept token of
highest cosine, one after the other: h <- (h + dropped) / 2, in the order of the stream, so that a
later one weighs more. Features are the hidden states at layer k, attention is that of layer k - 1,
heads averaged; one row of it is recomputed, all other attention stays as fast as it is.

Deviation: the number kept is the budget. The published code computes the whole layer's attention.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from core.tokens import Merge
from pruning.ranking import best
from pruning.selectors.selector import Bank, Question, Selection, Selector


@dataclass(frozen=True)
class HoliTomInner(Selector):
    """Keeps what the question attends to and merges the rest into it."""

    method: Literal["holitom-inner"] = "holitom-inner"
    needs_attention: ClassVar[bool] = True

    @classmethod
    def variants(cls, width: int) -> tuple[Self, ...]:
        """The only one."""
        return (cls(),)

    def choose(self, bank: Bank, question: Question, budget: int) -> Selection:
        """See `Selector.choose`."""
        assert question.attention is not None, "`select` refuses a question without it"
        rows = best(question.attention, budget)
        left = torch.ones(len(bank), dtype=torch.bool, device=rows.device)
        left[rows] = False
        dropped = left.nonzero()[:, 0]
        units = F.normalize(bank.features, dim=-1)
        target = (units[dropped] @ units[rows].T).argmax(dim=1)  # [n - k]
        return Selection(rows, halving(rows, dropped, target))


def halving(rows: Tensor, dropped: Tensor, target: Tensor) -> Merge:
    """Averages each dropped row into its target, in order, as one merge.

    Of n rows that flow into a kept one, the i-th weighs 2^-(n - i + 1), and the kept one 2^-n.

    Args:
        rows: kept, int64 [k].
        dropped: int64 [n], in the order they are averaged in.
        target: place among `rows` for each, int64 [n].
    """
    total = target.bincount(minlength=len(rows))  # [k]
    order = target.argsort(stable=True)
    place = torch.empty_like(target)  # how many flowed into its target before each
    place[order] = (
        torch.arange(len(target), device=rows.device) - (total.cumsum(0) - total)[target[order]]
    )
    weights = torch.cat([-total.double(), (place - total[target]).double()]).exp2()
    source = torch.cat([rows, dropped])
    return Merge(source, torch.cat([torch.arange(len(rows), device=rows.device), target]),
                 weights.float())  # fmt: skip
