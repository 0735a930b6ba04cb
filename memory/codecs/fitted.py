"""Equal steps around the middle of a group, as wide as loses least; 24 bits per group.

A number comes back as c + (q - (2^bits - 1) / 2) s. The centre c is the middle between the least
and the greatest number, in bfloat16; the step s is a quarter power of two, in one byte (code k
stands for 2^((k - 128) / 4), code 0 for zero). The first candidate is the least such step that
spans the group from end to end, at most 2^(1/4) times the exact one. Spanning the ends of 64
numbers is not what loses least, so narrower steps are tried and the one with the least squared
error is taken: for Gaussian numbers about 0.6 of the first. With the first step s0 the law is

    sum (x - x')^2 <= n max(s0 / 2, |c - c'|)^2,    |c - c'| <= 2^-8 |c|,

because the candidates include s0, for which it holds number by number.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from memory.codecs.bits import pack, unpack
from memory.codecs.codec import Planes
from memory.codecs.levels import Levels

PER_OCTAVE = 4
BIAS = 128  # steps from 2 ** -31.75 to 2 ** 31.75: all that `codec.LARGEST` lets through


def step_of(codes: Tensor) -> Tensor:
    """Steps that step codes stand for, float32."""
    return torch.exp2((codes.float() - BIAS) / PER_OCTAVE) * (codes > 0)


@dataclass(frozen=True)
class Fitted(Levels):
    """2^bits equal steps; 16 bits of centre and 8 of step per group.

    Args:
        bits: of a code, 1 to 8.
        candidates: steps tried, each 2^(1/4) narrower than the one before; 1 spans the ends.
    """

    bits: int = 2
    candidates: int = 8

    def encode(self, x: Tensor) -> Planes:
        """See `Levels.encode`."""
        least, greatest = x.aminmax(dim=-1)
        centre = (least / 2 + greatest / 2).bfloat16()  # [heads, blocks, rows]
        centred = x - centre.float()[..., None]
        exact = (greatest - least) / (2**self.bits - 1)
        first = (exact.log2() * PER_OCTAVE + BIAS).ceil().clamp(1, 255) * (exact > 0)
        narrower = torch.arange(self.candidates, device=x.device).view(-1, *[1] * first.ndim)
        tried = (first - narrower).clamp(min=1) * (first > 0)  # [candidates, heads, blocks, rows]
        errors = [self._error(centred, size) for size in step_of(tried)]
        least_lossy = torch.stack(errors).argmin(0, keepdim=True)  # of equal ones the widest
        best = tried.gather(0, least_lossy)[0]
        codes = self._codes(centred, step_of(best))
        return {
            "codes": pack(codes.flatten(-2), self.bits, clamped=True),
            "step": best.to(torch.uint8),
            "centre": centre,
        }

    def decode(self, planes: Planes, rows: int, size: int) -> Tensor:
        """See `Levels.decode`."""
        codes = torch.unflatten(unpack(planes["codes"], self.bits, rows * size), -1, (rows, size))
        return self._levels(codes, step_of(planes["step"])) + planes["centre"].float()[..., None]

    @property
    def _middle(self) -> float:
        return (int(2**self.bits) - 1) / 2

    def _error(self, centred: Tensor, size: Tensor) -> Tensor:
        """What a step of this size loses of each group."""
        lost = self._levels(self._codes(centred, size), size).neg_().add_(centred)
        return lost.square_().sum(-1)

    def _codes(self, centred: Tensor, size: Tensor) -> Tensor:
        divisor = size.clamp(min=torch.finfo(torch.float32).tiny)[..., None]
        codes = (centred / divisor).add_(self._middle)
        return codes.round_().clamp_(0, 2**self.bits - 1)

    def _levels(self, codes: Tensor, size: Tensor) -> Tensor:
        return (codes - self._middle) * size[..., None]
