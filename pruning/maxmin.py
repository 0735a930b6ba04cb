"""Greedy max-min choice: every next token is the one farthest from all that were chosen.

The distance is 1 - cosine. Without anything chosen before, the first is the token farthest from its
own nearest neighbour. DivPrune chooses so over a segment; FlashVID over a step, weighted.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def farthest(
    tokens: Tensor,
    count: int,
    *,
    weights: Tensor | None = None,
    known: Tensor | None = None,
    groups: Tensor | None = None,
) -> Tensor:
    """Rows of `count` tokens, int64, increasing; none is chosen twice.

    Args:
        tokens: float32 [n, d].
        count: at most n; with groups, at least one per group.
        weights: float32 [n], multiply each token's distance. A token whose weight is not positive
            comes after all others, by its weight.
        known: float32 [s, d], chosen before and no candidates.
        groups: int64 [n], in [0, g), each of which must get a token: once as many picks are left as
            groups are empty, only those groups are candidates.
    """
    unit = F.normalize(tokens, dim=1)
    distance = _before(unit, known)
    free = torch.ones(len(tokens), dtype=torch.bool, device=tokens.device)
    empty = set() if groups is None else set(groups.tolist())
    for left in range(count, 0, -1):
        score = distance
        if weights is not None:
            score = torch.where(weights > 0, weights * distance, weights)
        candidates = free
        if groups is not None and len(empty) >= left:
            wanted = torch.tensor(sorted(empty), device=tokens.device)
            candidates = free & torch.isin(groups, wanted)
        row = int(score.masked_fill(~candidates, -math.inf).argmax())
        apart = _apart(unit, unit[row])
        # The first choice was not made by distance to what is chosen: only now there is something.
        distance = apart if left == count and not _any(known) else torch.minimum(distance, apart)
        free[row] = False
        if groups is not None:
            empty.discard(int(groups[row]))
    return (~free).nonzero()[:, 0]


def _any(known: Tensor | None) -> bool:
    return known is not None and len(known) > 0


def _apart(unit: Tensor, one: Tensor) -> Tensor:
    """1 - cosine of unit tokens [n, d] and one of them [d], at least 0."""
    return (1 - unit @ one).clamp(min=0)


def _before(unit: Tensor, known: Tensor | None) -> Tensor:
    """What the first choice goes by, float32 [n]."""
    if known is not None and len(known):
        return (1 - unit @ F.normalize(known, dim=1).T).clamp(min=0).amin(dim=1)
    if len(unit) == 1:
        return unit.new_zeros(1)
    apart = (1 - unit @ unit.T).clamp(min=0)
    return apart.fill_diagonal_(math.inf).amin(dim=1)
