"""Three levels per number: -s, 0 and s, with the scale of Ternary Weight Networks.

Ternary Weight Networks (Li and Liu, arXiv 1605.04711): numbers of size up to a = gamma mean |x|
become zero, the others their sign, and s is the mean size *of those others*. That is the best s
there is for these codes: with k of them the squared error of a group is sum x^2 - k s^2. Gaussian
numbers lose 0.43 of their norm; with the mean over all numbers instead they lose 0.52. Five trits
go into a byte (1.6 bits): in a container of two bits a fourth level would be free.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from memory.codecs.bits import pack_trits, unpack_trits
from memory.codecs.codec import Planes
from memory.codecs.levels import Levels


def trits_of(x: Tensor, gamma: float) -> Tensor:
    """-1, 0 or 1 for each number: its sign where it is larger than gamma mean |x| of its group.

    Args:
        x: float32 [..., g].
        gamma: the share of the mean size up to which a number is zero.
    """
    threshold = gamma * x.abs().mean(-1, keepdim=True)
    return x.sign() * (x.abs() > threshold)


@dataclass(frozen=True)
class Ternary(Levels):
    """Levels -s, 0 and s; 16 bits of scale per group."""

    gamma: float = 0.7

    def encode(self, x: Tensor) -> Planes:
        """See `Levels.encode`."""
        trits = trits_of(x, self.gamma)
        scale = (x * trits).sum(-1) / trits.abs().sum(-1).clamp(min=1)  # [heads, blocks, rows]
        codes = pack_trits((trits + 1).flatten(-2), clamped=True)
        return {"codes": codes, "scale": scale.bfloat16()}

    def decode(self, planes: Planes, rows: int, size: int) -> Tensor:
        """See `Levels.decode`."""
        codes = torch.unflatten(unpack_trits(planes["codes"], rows * size), -1, (rows, size))
        return (codes.float() - 1) * planes["scale"].float()[..., None]
