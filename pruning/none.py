"""No pruning: every visual token is kept, whatever the budget. The dense reference of tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from pruning.policy import Kept, PruningPolicy, Seen, Spending, State


@dataclass(frozen=True)
class Dense(PruningPolicy):
    """Keeps all tokens."""

    method: Literal["none"] = "none"
    spending: ClassVar[Spending] = Spending.OWN

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`; the budget is not applied."""
        return Kept(torch.arange(seen.steps * seen.per_step, device=seen.features.device), state)
