"""One bit per number: its sign, times the mean size of its group.

x comes back as s sign(x) with s = mean |x|, the best s there is for these codes: the squared error
of a group is sum x^2 - n s^2, and any other s adds n (s - s')^2. Gaussian numbers lose 0.6 of their
norm (sqrt(1 - 2 / pi)). A group of zeros comes back as zeros, because its s is zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from memory.codecs.bits import pack, unpack
from memory.codecs.codec import Planes
from memory.codecs.levels import Levels


@dataclass(frozen=True)
class Signs(Levels):
    """Levels -s and s; 16 bits of scale per group."""

    def encode(self, x: Tensor) -> Planes:
        """See `Levels.encode`."""
        return {
            "codes": pack((x > 0).flatten(-2), 1, clamped=True),
            "scale": x.abs().mean(-1).bfloat16(),  # [heads, blocks, rows]
        }

    def decode(self, planes: Planes, rows: int, size: int) -> Tensor:
        """See `Levels.decode`."""
        codes = torch.unflatten(unpack(planes["codes"], 1, rows * size), -1, (rows, size))
        return (codes.float() * 2 - 1) * planes["scale"].float()[..., None]
