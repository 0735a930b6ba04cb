"""Regions of a picture that one mean token can stand for, found from the whole downwards.

A region has up to four quarters, halved both ways, the upper and left ones the larger; single
tokens have none. Which regions there can be depends on the picture's size alone, so all steps and
all regions are measured at once.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from pruning.similarity import cosine


class Tree(NamedTuple):
    """All regions that a picture of some size can have; parents come before their quarters."""

    parent: Tensor  # int64 [r]; the whole, region 0, is its own
    anchor: Tensor  # int64 [r], the top left place of each
    single: Tensor  # int64 [m], the region that is the place alone
    levels: list[tuple[int, int]]  # regions [start, stop) of each depth, the whole first


def quadtree(features: Tensor, h: int, w: int, tau: float) -> Tensor:
    """The region that every token belongs to, named by its top left place, int64 [t, m].

    Of each step the largest regions are taken whose mean has a cosine of at least `tau` with the
    mean of each of their quarters; where none has, single tokens.

    Args:
        features: float32 [t, m, d].
        h: rows.
        w: columns; h * w == m.
        tau: a cosine; above 1 every token is alone.
    """
    parent, anchor, single, levels = grow(h, w, features.device)
    sums = features.new_zeros(len(features), len(parent), features.shape[2])
    sums[:, single] = features
    for start, stop in levels[:0:-1]:  # means are not needed: a cosine knows no length
        sums.index_add_(1, parent[start:stop], sums[:, start:stop].clone())
    alike = cosine(sums[:, parent], sums) >= tau  # [t, r]
    alike[:, 0] = True
    stands = torch.ones_like(alike, dtype=torch.uint8)
    stands.scatter_reduce_(1, parent.expand_as(alike), alike.to(torch.uint8), "amin")
    stands[:, single] = 1
    nobody = torch.full_like(alike, -1, dtype=torch.int64)
    region = torch.arange(len(parent), device=features.device).expand_as(nobody)
    owner = torch.where(stands.bool(), region, nobody)
    for start, stop in levels[1:]:
        above = owner[:, parent[start:stop]]
        owner[:, start:stop] = torch.where(above >= 0, above, owner[:, start:stop])
    return anchor[owner[:, single]]


def grow(h: int, w: int, device: torch.device) -> Tree:
    """The tree of a picture of h rows and w columns."""
    bounds, parent = [(0, h, 0, w)], [0]
    single, levels = [0] * (h * w), [(0, 1)]
    while levels[-1][0] < levels[-1][1]:
        start = len(bounds)
        for above in range(*levels[-1]):
            top, bottom, left, right = bounds[above]
            if bottom - top == right - left == 1:
                single[top * w + left] = above
                continue
            for rows in _halves(top, bottom):
                for columns in _halves(left, right):
                    bounds.append((*rows, *columns))
                    parent.append(above)
        levels.append((start, len(bounds)))
    anchor = [top * w + left for top, _, left, _ in bounds]
    numbers = [torch.tensor(values, device=device) for values in (parent, anchor, single)]
    return Tree(numbers[0], numbers[1], numbers[2], levels[:-1])


def _halves(start: int, stop: int) -> list[tuple[int, int]]:
    middle = (start + stop + 1) // 2
    return [(start, middle), (middle, stop)] if middle < stop else [(start, stop)]
