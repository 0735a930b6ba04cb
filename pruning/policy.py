"""The contract every pruning method meets.

A policy is a frozen dataclass: its fields are the method's parameters, its one verb is `keep`. It
holds nothing about any stream; what a method must remember of the past travels in a state that the
caller keeps and hands back (`pruning.online` does). Methods return rows, never tensors of features,
so none of them can forget the grid index or the DeepStack rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from core.tokens import VisualTokens

State = Any  # a method's own; opaque to everybody else, never changed in place


class Kept(NamedTuple):
    """A method's decision about some temporal steps."""

    rows: Tensor  # int64 [k], strictly increasing
    state: State


class PruningPolicy(ABC):
    """Chooses which visual tokens of a few temporal steps are kept.

    Laws, tested for every policy: rows are strictly increasing and in range; at least one per
    temporal step when the budget allows; exactly `budget` rows unless `adaptive`; all rows when the
    budget covers all; deterministic; inputs unchanged; features that are not finite are refused;
    what later steps hold changes nothing that was decided, beyond `lookahead` steps.
    """

    # Pydantic reads this: an unknown field in a configuration is refused, not ignored.
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    adaptive: ClassVar[bool] = (
        False  # spends more or less than the budget now, equal in the long run
    )

    @property
    def delay(self) -> int:
        """Temporal steps that must have been seen after a step before it can be decided."""
        return 0

    def start(self) -> State:
        """The state before the first temporal step of a stream."""
        return None

    @abstractmethod
    def keep(
        self, tokens: VisualTokens, budget: int, state: State, following: VisualTokens | None = None
    ) -> Kept:
        """Decide about all steps of `tokens`.

        Args:
            tokens: dense, n == t * h * w rows.
            budget: visual tokens to keep of all these steps together, at least one per step.
            state: what `start` or the call before returned.
            following: the next `delay` steps, or None where the stream ends.

        Raises:
            ValueError: if tokens were pruned before, are not finite, or the budget is too low.
        """


def check(tokens: VisualTokens, budget: int) -> Tensor:
    """Features in float32, [t, h * w, d], after refusing what no method can decide on."""
    if len(tokens) != tokens.grid.t * tokens.grid.per_step:
        raise ValueError(f"{len(tokens)} tokens on grid {tokens.grid}: prune dense tokens only")
    if budget < tokens.grid.t:
        raise ValueError(
            f"a budget of {budget} leaves some of {tokens.grid.t} temporal steps empty"
        )
    features = tokens.features.detach().float()
    if not bool(torch.isfinite(features).all()):
        raise ValueError("visual tokens hold NaN or infinity")
    return features.reshape(tokens.grid.t, tokens.grid.per_step, -1)


def everything(tokens: VisualTokens) -> Tensor:
    """All rows, int64 [n]."""
    return torch.arange(len(tokens), device=tokens.features.device)


def best_per_step(scores: Tensor, counts: list[int]) -> Tensor:
    """Rows of the highest scores in each step; of equal scores the lower row wins.

    Args:
        scores: float32 [t, m].
        counts: rows to take per step, each at most m.
    """
    order = scores.argsort(dim=1, descending=True, stable=True)
    rows = [
        order[step, :count].sort().values + step * scores.shape[1]
        for step, count in enumerate(counts)
    ]
    return torch.cat(rows)
