"""Evenly spaced tokens of every step: the baseline that every table needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from core.tokens import VisualTokens
from pruning.budget import split_evenly
from pruning.policy import Kept, PruningPolicy, State, check, everything


@dataclass(frozen=True)
class Uniform(PruningPolicy):
    """Keeps every (m / k)-th token of the m tokens of a step, in raster order."""

    method: Literal["uniform"] = "uniform"

    def keep(
        self, tokens: VisualTokens, budget: int, state: State, following: VisualTokens | None = None
    ) -> Kept:
        """See `PruningPolicy.keep`."""
        check(tokens, budget)
        if budget >= len(tokens):
            return Kept(everything(tokens), state)
        per_step = tokens.grid.per_step
        rows = []
        for step, count in enumerate(split_evenly(budget, tokens.grid.t)):
            # The middle of each of `count` equal stretches: no bias towards the first row.
            places = (torch.arange(count) * 2 + 1) * per_step // (2 * count)
            rows.append(places + step * per_step)
        return Kept(torch.cat(rows).to(tokens.features.device), state)
