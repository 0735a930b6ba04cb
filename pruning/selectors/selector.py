"""The contract of question-time selection: from the bank of kept tokens, those a question needs.

What a selector skips is skipped for one question only; the bank stays as it is. So selectors may
look at the question, at any number of steps at once, and be as bold as they like.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Self

import torch
from torch import Tensor

from core.tokens import Grid, Merge, VisualTokens
from pruning.policy import Spending


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What is known of a question."""

    features: Tensor  # [q, d] embeddings of its text tokens, in the space of the visual tokens
    # [n] float32, what its last token gives each token of the bank at one layer of the language
    # model, heads averaged: one recomputed row. Only for selectors that declare `needs_attention`.
    attention: Tensor | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """Kept tokens of any number of steps, in float32, with finite features; steps may be empty."""

    features: Tensor  # float32 [n, d]; read only
    index: Tensor  # int64 [n], increasing, into the flattened (t, h, w) grid
    grid: Grid

    def __len__(self) -> int:
        return len(self.features)

    @property
    def step(self) -> Tensor:
        """Temporal step of each token, int64 [n]."""
        return self.index // self.grid.per_step


class Selection(NamedTuple):
    """What a question reads of the bank."""

    rows: Tensor  # int64 [k], strictly increasing
    merge: Merge | None = None


class Selector(ABC):
    """Chooses rows of a bank for one question. Stateless between calls; may hold trained weights.

    Laws, tested for every selector in `pruning.selectors.registry`: rows are strictly increasing
    and in range; as many as `spending` says, never more than the budget; all rows when the budget
    covers the bank (unless it spends as it finds right); deterministic; inputs unchanged; features
    that are not finite are refused; another question may choose other rows, and for a selector
    that listens it does.
    """

    method: str
    spending: ClassVar[Spending] = Spending.EXACT
    needs_attention: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def variants(cls, width: int) -> tuple[Self, ...]:
        """The settings that tests and tables compare, for tokens of this width; default first.

        A selector that is trained elsewhere gives its untrained self here: a control.
        """

    def select(self, bank: VisualTokens, question: Question, budget: int) -> Selection:
        """The rows of `bank` to read for `question`.

        Args:
            bank: kept tokens on one grid, pruned or dense, at least one.
            question: its features as wide as the tokens'.
            budget: tokens to read at most, at least one.

        Raises:
            ValueError: if there is nothing to choose from or by, something is not finite, widths
                differ, the budget is below 1, or the attention that the method needs is missing.
        """
        if budget < 1 or not len(bank) or not len(question.features):
            raise ValueError("a selection needs a budget, a token and a word")
        if self.needs_attention and question.attention is None:
            raise ValueError(f"{self.method} needs the attention of the question's last token")
        if question.attention is not None and question.attention.shape != (len(bank),):
            raise ValueError(f"attention {tuple(question.attention.shape)} of {len(bank)} tokens")
        shown = Bank(_finite(bank.features), bank.index.to(bank.features.device), bank.grid)
        heard = Question(
            _finite(question.features),
            None if question.attention is None else _finite(question.attention),
        )
        if shown.features.shape[1] != heard.features.shape[1]:
            raise ValueError("question and tokens are not of one width")
        if self.spending is not Spending.OWN and budget >= len(bank):
            return Selection(torch.arange(len(bank), device=bank.features.device))
        return self.choose(shown, heard, min(budget, len(bank)))

    @abstractmethod
    def choose(self, bank: Bank, question: Question, budget: int) -> Selection:
        """The method itself: what `select` promises, for checked input in float32."""


def _finite(values: Tensor) -> Tensor:
    values = values.detach().float()
    if not bool(torch.isfinite(values).all()):
        raise ValueError("tokens or question hold NaN or infinity")
    return values
