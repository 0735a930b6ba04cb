"""Equal steps from the least number of a group to the greatest (asymmetric quantisation).

Of a group: zero z = min x, scale s = (max x - min x) / (2^bits - 1), code q = round((x - z) / s),
and x comes back as q s + z. Scale and zero are stored in bfloat16, and codes are chosen for what is
stored, so rounding them costs no more than it must: with z' and s' as stored,

    |x - x'| <= max(s' / 2, 2^-8 (|z| + max |x - z|))  up to float32 rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from memory.codecs.bits import pack, unpack
from memory.codecs.codec import Planes
from memory.codecs.levels import Levels


@dataclass(frozen=True)
class MinMax(Levels):
    """2^bits equal steps; 32 bits of scale and zero per group."""

    bits: int = 2

    def encode(self, x: Tensor) -> Planes:
        """See `Levels.encode`."""
        least, greatest = x.aminmax(dim=-1)
        top = 2**self.bits - 1
        scale = ((greatest - least) / top).bfloat16()  # [heads, blocks, rows]
        zero = least.bfloat16()
        step = scale.float().clamp(min=torch.finfo(torch.float32).tiny)  # a constant has none
        codes = ((x - zero.float()[..., None]) / step[..., None]).round().clamp(0, top)
        return {
            "codes": pack(codes.flatten(-2), self.bits, clamped=True),
            "scale": scale,
            "zero": zero,
        }

    def decode(self, planes: Planes, rows: int, size: int) -> Tensor:
        """See `Levels.decode`."""
        codes = torch.unflatten(unpack(planes["codes"], self.bits, rows * size), -1, (rows, size))
        return codes * planes["scale"].float()[..., None] + planes["zero"].float()[..., None]
