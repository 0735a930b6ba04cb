"""Random tokens of every step: the control that a clever method must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from pruning.budget import split_evenly
from pruning.policy import Kept, PruningPolicy, Seen, State
from pruning.ranking import best_per_step


@dataclass(frozen=True, slots=True)
class Drawn:
    """How far the draw has come."""

    steps: int = 0  # decided so far


@dataclass(frozen=True)
class Random(PruningPolicy):
    """Keeps tokens drawn without replacement; the same seed and stream give the same draw.

    Args:
        seed: of the draw.
    """

    seed: int = 0
    method: Literal["random"] = "random"

    def start(self) -> State:
        """No step was drawn for."""
        return Drawn()

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`."""
        before: Drawn = state
        # One generator per step, so that the draw does not depend on how steps are grouped.
        scores = torch.stack(
            [self._draw(before.steps + s, seen.per_step) for s in range(seen.steps)]
        )
        rows = best_per_step(scores, split_evenly(budget, seen.steps))
        return Kept(rows.to(seen.features.device), Drawn(before.steps + seen.steps))

    def _draw(self, step: int, size: int) -> Tensor:
        generator = torch.Generator().manual_seed((self.seed << 40) + step)
        return torch.rand(size, generator=generator)
