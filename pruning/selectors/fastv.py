"""FastV (arXiv 2403.06764): the tokens that the last word attends to after two layers.

After layer K = 2 of the language model the visual tokens with the largest attention from the
prompt's last token stay, heads averaged, as layer K - 1 gave it; published is half of them.

Deviations: the number is the budget, not a share. The published code asks the layer for its whole
attention matrix, which turns the fast kernels off; here `last_row` recomputes the one row that is
read, from the query of the last token and the keys of that layer. A port that averages over all
queries is another method.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor

from pruning.ranking import best
from pruning.selectors.selector import Bank, Question, Selection, Selector


@dataclass(frozen=True)
class FastV(Selector):
    """Reads what the question's last token attends to most."""

    method: Literal["fastv"] = "fastv"
    needs_attention: ClassVar[bool] = True

    @classmethod
    def variants(cls, width: int) -> tuple[Self, ...]:
        """The only one."""
        return (cls(),)

    def choose(self, bank: Bank, question: Question, budget: int) -> Selection:
        """See `Selector.choose`."""
        assert question.attention is not None, "`select` refuses a question without it"
        return Selection(best(question.attention, budget))


def last_row(query: Tensor, keys: Tensor) -> Tensor:
    """What one token gives each of the tokens it can read, heads averaged; float32 [n], sums to 1.

    The cost is that of one row; no matrix over all pairs is formed.

    Args:
        query: of the last token, normalised and rotated as the layer does, [heads, e].
        keys: of all tokens it can read, itself included, likewise, [kv_heads, n, e]; heads that
            share keys are neighbours.

    Raises:
        ValueError: if the shapes do not belong together.
    """
    heads, width = query.shape
    shared, n, _ = keys.shape
    if keys.shape[2] != width or heads % shared:
        raise ValueError(f"query {tuple(query.shape)} and keys {tuple(keys.shape)} do not match")
    grouped = query.float().reshape(shared, heads // shared, width)
    logits = torch.einsum("sge,sne->sgn", grouped, keys.float()) / width**0.5
    row: Tensor = logits.softmax(dim=-1).reshape(heads, n).mean(dim=0)
    return row
