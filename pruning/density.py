"""Density-peak clustering (DPC-kNN): the centres that several merging methods gather around.

With dist = Euclidean distance / sqrt(d): density = exp(-mean of the squared distances to the k
nearest tokens, itself one of them), k = min(7, centres asked for); delta = distance to the nearest
denser token, for the densest of all the largest distance there is; centres have the highest
density * delta. The published codes break ties by noise of 1e-6; here the lower row wins, and of
two equally dense tokens the lower counts as the denser.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pruning.ranking import best

NEIGHBOURS = 7


def centres(tokens: Tensor, count: int, neighbours: int | None = None) -> Tensor:
    """Rows of `count` centres among tokens [n, d], int64, increasing; 1 <= count <= n.

    `neighbours` is the k of the density, at most n; None for min(7, count).
    """
    distances = _distances(tokens, tokens)
    k = min(NEIGHBOURS, count) if neighbours is None else min(neighbours, len(tokens))
    nearest = distances.topk(k, dim=1, largest=False).values
    density = (-nearest.square().mean(dim=1)).exp()
    row = torch.arange(len(tokens), device=tokens.device)
    denser = (density > density[:, None]) | ((density == density[:, None]) & (row < row[:, None]))
    delta = distances.masked_fill(~denser, math.inf).amin(dim=1)
    delta = torch.where(delta.isinf(), distances.max(), delta)
    return best(density * delta, count)


def nearest(tokens: Tensor, centres: Tensor) -> Tensor:
    """Which of the centre rows [c] each of tokens [n, d] belongs to, int64 [n] in [0, c)."""
    belongs = _distances(tokens, tokens[centres]).argmin(dim=1)
    belongs[centres] = torch.arange(len(centres), device=tokens.device)
    return belongs


def _distances(one: Tensor, other: Tensor) -> Tensor:
    # Without matrix multiplication: equal tokens are exactly 0 apart.
    apart = torch.cdist(one, other, compute_mode="donot_use_mm_for_euclid_dist")
    return apart / math.sqrt(one.shape[1])
