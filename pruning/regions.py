"""Regions of alike neighbours on the grid of one temporal step."""

from __future__ import annotations

import torch
from torch import Tensor

from core.tokens import Grid
from pruning.otsu import otsu
from pruning.similarity import distance

AROUND = ((0, 1), (1, -1), (1, 0), (1, 1))  # half of the 8 neighbours: each pair once


def regions(step: Tensor, places: Tensor, grid: Grid) -> Tensor:
    """The lowest place of the region that each of some places belongs to.

    Two of the 8-neighbours are connected if 1 - their cosine is at most Otsu's threshold over all
    such pairs; if that parts nothing, none are.

    Args:
        step: float32 [m, d].
        places: int64 [n], increasing.
        grid: rows and columns of the step.

    Returns:
        int64 [n].
    """
    pairs = _neighbours(places, grid)
    if not len(pairs):
        return places
    apart = distance(step[pairs[:, 0]], step[pairs[:, 1]]).square() / 2
    cut = otsu(apart)
    if cut is None:
        return places
    parent = {place: place for place in places.tolist()}

    def root(place: int) -> int:
        while parent[place] != place:
            place = parent[place]
        return place

    for one, other in pairs[apart <= cut].tolist():
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    return torch.tensor([root(place) for place in parent], device=places.device)


def _neighbours(places: Tensor, grid: Grid) -> Tensor:
    """Pairs of given places that touch, int64 [p, 2]."""
    there = torch.zeros(grid.h + 1, grid.w + 2, dtype=torch.bool, device=places.device)
    row, column = places // grid.w, places % grid.w
    there[row, column + 1] = True
    pairs = []
    for down, right in AROUND:
        hit = there[row + down, column + 1 + right]
        pairs.append(torch.stack([places[hit], places[hit] + down * grid.w + right], dim=1))
    return torch.cat(pairs)
