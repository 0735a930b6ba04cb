"""The first token of each 2x2 block of tokens: an ablation of V-CAST (arXiv 2603.27650), a control.

At a quarter of the tokens it is exactly that. Deviation, so that it meets any budget: fewer are
spread evenly over those first tokens, and more go on with the block's diagonal neighbour, then its
right and its lower one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from pruning.budget import split_evenly
from pruning.policy import Kept, PruningPolicy, Seen, State
from pruning.ranking import evenly

CORNERS = ((0, 0), (1, 1), (0, 1), (1, 0))  # row and column in a block, in the order they are kept


@dataclass(frozen=True)
class FirstOf2x2(PruningPolicy):
    """Keeps the upper left token of every block of two by two."""

    method: Literal["first-of-2x2"] = "first-of-2x2"

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`."""
        places = torch.arange(seen.per_step).reshape(seen.grid.h, seen.grid.w)
        corners = [places[row::2, column::2].flatten() for row, column in CORNERS]
        rows = [
            _first(corners, count) + step * seen.per_step
            for step, count in enumerate(split_evenly(budget, seen.steps))
        ]
        return Kept(torch.cat(rows).to(seen.features.device), state)


def _first(corners: list[Tensor], count: int) -> Tensor:
    """`count` places, corner by corner, int64, increasing."""
    chosen = []
    for places in corners:
        taken = min(count, len(places))
        chosen.append(places[evenly(taken, len(places))] if taken else places[:0])
        count -= taken
    return torch.cat(chosen).sort().values
