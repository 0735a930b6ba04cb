"""Evenly spaced tokens of every step: the baseline that every table needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from pruning.budget import split_evenly
from pruning.policy import Kept, PruningPolicy, Seen, State
from pruning.ranking import evenly


@dataclass(frozen=True)
class Uniform(PruningPolicy):
    """Keeps every (m / k)-th token of the m tokens of a step, in raster order."""

    method: Literal["uniform"] = "uniform"

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`."""
        rows = [
            evenly(count, seen.per_step) + step * seen.per_step
            for step, count in enumerate(split_evenly(budget, seen.steps))
        ]
        return Kept(torch.cat(rows).to(seen.features.device), state)
