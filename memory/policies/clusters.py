"""Weighted k-means without chance: the same points always make the same clusters."""

from __future__ import annotations

import torch
from torch import Tensor

_ROUNDS = 10
_EXACT = "donot_use_mm_for_euclid_dist"


def clusters(points: Tensor, weights: Tensor, count: int) -> Tensor:
    """Which cluster each point belongs to, numbered from 0, int64 [n].

    Begins with points far from each other, so that one of its kind is a cluster of its own.

    Args:
        points: float [n, d], at least one.
        weights: above 0, [n].
        count: of clusters at most; fewer where points are equal.
    """
    centres = points[_spread(points, count)]
    labels = torch.cdist(points, centres, compute_mode=_EXACT).argmin(1)
    for _ in range(_ROUNDS):
        centres = means(points, weights, labels, len(centres))
        moved = torch.cdist(points, centres, compute_mode=_EXACT).argmin(1)
        if torch.equal(moved, labels):
            break
        labels = moved
    _, numbered = torch.unique(labels, return_inverse=True)
    found: Tensor = numbered
    return found


def means(points: Tensor, weights: Tensor, labels: Tensor, count: int) -> Tensor:
    """The weighted mean of each cluster, [count, d]; of an empty one nobody is nearest to it.

    Args:
        points: [n, d].
        weights: [n].
        labels: int64 [n].
        count: of clusters.
    """
    total = weights.new_zeros(count).index_add_(0, labels, weights)
    sums = points.new_zeros(count, points.shape[1])
    sums.index_add_(0, labels, points * weights[:, None])
    centres = sums / total.clamp(min=1e-12)[:, None]
    return centres.masked_fill((total == 0)[:, None], torch.inf)


def nearest(points: Tensor, weights: Tensor, labels: Tensor) -> Tensor:
    """The point nearest to the mean of each cluster, the first of equals, int64 [clusters]."""
    count = int(labels.max()) + 1
    centres = means(points, weights, labels, count)
    far = (points - centres[labels]).norm(dim=1).expand(count, -1)
    own = labels[None] == torch.arange(count, device=labels.device)[:, None]
    least = far.masked_fill(~own, torch.inf).amin(1, keepdim=True)
    first: Tensor = (own & (far <= least + _same(points))).int().argmax(1)
    return first


def _spread(points: Tensor, count: int) -> list[int]:
    """The first point, then always the one farthest from those chosen."""
    chosen = [0]
    far, same = (points - points[0]).norm(dim=1), _same(points)
    while len(chosen) < count:
        most, at = torch.stack([far.max().double(), far.argmax().double()]).tolist()  # one wait
        if most <= same:
            break
        chosen.append(int(at))
        far = torch.minimum(far, (points - points[chosen[-1]]).norm(dim=1))
    return chosen


def _same(points: Tensor) -> float:
    """A distance that rounding alone may make: keys that lost a position have some of it."""
    return 1e-4 * float(points.norm(dim=1).max())
