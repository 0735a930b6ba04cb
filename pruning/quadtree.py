"""Regions of a picture that one mean token can stand for, found from the whole downwards."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from pruning.similarity import cosine


class Region(NamedTuple):
    """A rectangle of places: rows [top, bottom), columns [left, right)."""

    top: int
    bottom: int
    left: int
    right: int

    def quarters(self) -> list[Region]:
        """Its up to four parts, halved both ways; the upper and left ones are the larger."""
        rows, columns = _halves(self.top, self.bottom), _halves(self.left, self.right)
        return [Region(*row, *column) for row in rows for column in columns]

    def places(self, width: int, device: torch.device) -> Tensor:
        """Its places in a picture of this width, int64, increasing."""
        rows = torch.arange(self.top, self.bottom, device=device)[:, None] * width
        return (rows + torch.arange(self.left, self.right, device=device)).flatten()


def quadtree(picture: Tensor, tau: float) -> list[Region]:
    """The largest regions whose mean stands for each of their quarters; they tile the picture.

    A region's mean stands for it if its cosine with the mean of every quarter is at least `tau`;
    else the quarters are looked at in turn, down to single tokens.

    Args:
        picture: float32 [h, w, d].
        tau: a cosine; above 1 nothing stands for more than itself.
    """
    sums = picture.double().cumsum(0).cumsum(1)
    sums = torch.nn.functional.pad(sums, (0, 0, 1, 0, 1, 0))  # [h + 1, w + 1, d]

    def total(r: Region) -> Tensor:
        upper = sums[r.top, r.left] - sums[r.top, r.right]
        return sums[r.bottom, r.right] - sums[r.bottom, r.left] + upper

    found, left = [], [Region(0, picture.shape[0], 0, picture.shape[1])]
    while left:
        region = left.pop()
        quarters = region.quarters()
        if len(quarters) > 1:
            means = torch.stack([total(quarter) for quarter in quarters])
            if not bool((cosine(means, total(region)) >= tau).all()):
                left += quarters
                continue
        found.append(region)
    return sorted(found)


def _halves(start: int, stop: int) -> list[tuple[int, int]]:
    middle = (start + stop + 1) // 2
    return [(start, middle), (middle, stop)] if middle < stop else [(start, stop)]
