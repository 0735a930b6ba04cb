"""Rows from scores. Of equal scores the lower row wins, everywhere."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def best_per_step(scores: Tensor, counts: Sequence[int]) -> Tensor:
    """Rows of the highest scores in each step, int64, increasing.

    Args:
        scores: float32 [t, m].
        counts: rows to take per step, each at most m.
    """
    order = scores.argsort(dim=1, descending=True, stable=True)
    rows = [
        order[step, :count].sort().values + step * scores.shape[1]
        for step, count in enumerate(counts)
    ]
    return torch.cat(rows)


def best(scores: Tensor, count: int) -> Tensor:
    """Places of the `count` highest of scores [n], int64 [count], increasing."""
    return scores.argsort(descending=True, stable=True)[:count].sort().values


def rows_of(mask: Tensor) -> Tensor:
    """Rows that a mask, bool [t, m], marks; int64, increasing."""
    return mask.flatten().nonzero()[:, 0]


def at_least_one(mask: Tensor, scores: Tensor) -> Tensor:
    """The mask, bool [t, m], with the best-scored token of every step that it leaves empty."""
    first = scores.argmax(dim=1, keepdim=True)  # of equal ones the lowest
    rescued = torch.zeros_like(mask).scatter_(1, first, True)
    return mask | (rescued & ~mask.any(dim=1, keepdim=True))


def evenly(count: int, size: int) -> Tensor:
    """`count` of `size` places, spread evenly, int64 [count], increasing.

    The middle of each of `count` equal stretches: no bias towards the first.
    """
    return (torch.arange(count) * 2 + 1) * size // (2 * count)
