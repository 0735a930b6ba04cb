"""Random tokens of every step: the control that a clever method must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from core.tokens import VisualTokens
from pruning.budget import split_evenly
from pruning.policy import Kept, PruningPolicy, State, best_per_step, check, everything


@dataclass(frozen=True)
class Random(PruningPolicy):
    """Keeps tokens drawn without replacement; the same seed and stream give the same draw."""

    seed: int = 0
    method: Literal["random"] = "random"

    def start(self) -> State:
        """Temporal steps decided so far."""
        return 0

    def keep(
        self, tokens: VisualTokens, budget: int, state: State, following: VisualTokens | None = None
    ) -> Kept:
        """See `PruningPolicy.keep`."""
        check(tokens, budget)
        after = state + tokens.grid.t
        if budget >= len(tokens):
            return Kept(everything(tokens), after)
        # One generator per step, so that the draw does not depend on how steps are grouped.
        scores = torch.stack(
            [self._draw(state + s, tokens.grid.per_step) for s in range(tokens.grid.t)]
        )
        rows = best_per_step(scores, split_evenly(budget, tokens.grid.t))
        return Kept(rows.to(tokens.features.device), after)

    def _draw(self, step: int, size: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed((self.seed << 40) + step)
        return torch.rand(size, generator=generator)
