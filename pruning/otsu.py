"""Otsu's threshold: the cut that parts values into the two classes farthest from each other."""

from __future__ import annotations

import torch
from torch import Tensor

BINS = 128
HIGH = 2.0  # cosine distances lie in [0, 2]


def otsu(values: Tensor) -> float | None:
    """The threshold of distances [n] in [0, 2], from a histogram of 128 bins.

    Of all bins, the middle of the one that, with those below it as one class, has the largest
    variance between classes; None if the values fall into one bin.
    """
    counts = torch.histc(values.float().cpu(), bins=BINS, min=0.0, max=HIGH).double()
    middles = (torch.arange(BINS, dtype=torch.float64) + 0.5) * HIGH / BINS
    share = counts / counts.sum()
    below, mass = share.cumsum(0), (share * middles).cumsum(0)
    parted = (counts.cumsum(0) > 0) & (counts.cumsum(0) < counts.sum())
    if not bool(parted.any()):
        return None
    apart = (mass[-1] * below - mass).square() / (below * (1 - below))
    return float(middles[int(torch.where(parted, apart, -1.0).argmax())])
