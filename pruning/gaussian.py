"""Likeness to a mean, over several scales, in the channels that vary least.

VidCom2 and STC-Pruner share it: tokens are compared in the half of the channels with the lowest
variance, scaled to unit length there, by g(x, c) = sum over a in {1/8, 1/4, 1/2, 1, 2} of
exp(-|x - c|^2 / (2 a)), which lies in (0, 5].
"""

from __future__ import annotations

import torch
from torch import Tensor

SCALES = (0.125, 0.25, 0.5, 1.0, 2.0)


def likeness(tokens: Tensor, centre: Tensor) -> Tensor:
    """G of tokens [..., c] and a centre that broadcasts against them, float32 [...]."""
    apart = (tokens - centre).square().sum(dim=-1)
    return torch.stack([(-apart / (2 * scale)).exp() for scale in SCALES]).sum(dim=0)


def quiet(variance: Tensor) -> Tensor:
    """The half of the channels with the lowest variance [d], int64 [max(d // 2, 1)], increasing."""
    count = max(len(variance) // 2, 1)
    return variance.argsort(stable=True)[:count].sort().values
