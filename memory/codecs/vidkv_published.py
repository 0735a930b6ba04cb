"""VidKV (arXiv 2503.16257) as its release computes it: for comparison, not for use.

The plan is that of `memory.codecs.vidkv`; this is what became of it, with what each trap costs:

- One-bit codes are 0 or 1 and come back as 0 or s, s = mean |x|, which is also what the paper's
  formula says literally: negative numbers become zero.
- Ternary codes come back as -1, 0 and 1. The scale is computed and stored and then not used, so
  values are right only where they happen to be about one in size. And gamma is 0.5 in the code
  where the paper found 0.7.
- The frequency domain is a full Fourier transform, real and imaginary parts of both mirrored
  halves, used only for shares of 0.5 and 0.75: "one bit" is two codes per number.
- Ternary codes lie in fields of two bits, and every group stores scale *and* zero in 16 bits each,
  also where the zero is always zero: one more bit per code.

True bits of "1.5 for keys, 1.58 for values": 0.5 (2 + 1) + 0.5 * 2 (1 + 1) = 3.5 and 2 + 1 = 3.

Deviations: scales are bfloat16, as large as the release's 16 bits; the tail of newest tokens is cut
as in `memory.codecs.vidkv`; a block is encoded once (the release decodes and encodes the whole
cache again every 128 tokens, so its errors add up); no semantic token protection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import torch
from torch import Tensor

from memory.codecs.bits import pack, unpack
from memory.codecs.channels import MixedChannels
from memory.codecs.codec import Codec, Coder, Planes
from memory.codecs.grouping import PerChannel
from memory.codecs.levels import Levels
from memory.codecs.minmax import MinMax
from memory.codecs.tail import Newest, WithTail
from memory.codecs.ternary import trits_of
from memory.codecs.transform import Spectrum, Transformed
from memory.codecs.vidkv import check_parameters

SHARES_WITH_SPECTRUM = (0.5, 0.75)


@dataclass(frozen=True)
class ZeroOrScale(Levels):
    """Levels 0 and s; 32 bits of scale and zero per group."""

    def encode(self, x: Tensor) -> Planes:
        """See `Levels.encode`."""
        scale = x.abs().mean(-1).bfloat16()  # [heads, blocks, rows]
        codes = pack((x > 0).flatten(-2), 1, clamped=True)
        return {"codes": codes, "scale": scale, "zero": torch.zeros_like(scale)}

    def decode(self, planes: Planes, rows: int, size: int) -> Tensor:
        """See `Levels.decode`."""
        codes = torch.unflatten(unpack(planes["codes"], 1, rows * size), -1, (rows, size))
        return codes * planes["scale"].float()[..., None] + planes["zero"].float()[..., None]


@dataclass(frozen=True)
class UnscaledTernary(Levels):
    """Levels -1, 0 and 1; 32 bits of scale and zero per group, which nobody reads."""

    gamma: float

    def encode(self, x: Tensor) -> Planes:
        """See `Levels.encode`."""
        scale = x.abs().mean(-1).bfloat16()  # [heads, blocks, rows]
        codes = pack((trits_of(x, self.gamma) + 1).flatten(-2), 2, clamped=True)
        return {"codes": codes, "scale": scale, "zero": torch.zeros_like(scale)}

    def decode(self, planes: Planes, rows: int, size: int) -> Tensor:
        """See `Levels.decode`."""
        codes = torch.unflatten(unpack(planes["codes"], 2, rows * size), -1, (rows, size))
        return codes.float() - 1


@dataclass(frozen=True)
class VidKVPublished(Codec):
    """Mixed keys, ternary values, both by channel, with the traps of the release.

    Args:
        share: of the channels whose keys get two bits, 0 to 1.
        group: tokens that share a scale.
        residual: newest tokens kept as they are.
        gamma: values up to gamma mean |v| become zero.
    """

    share: float = 0.5
    group: int = 32
    residual: int = 128
    gamma: float = 0.5
    method: Literal["vidkv_published"] = "vidkv_published"

    def __post_init__(self) -> None:
        check_parameters(self.share, self.group, self.residual, self.gamma)

    @classmethod
    def variants(cls) -> tuple[Self, ...]:
        """See `Codec.variants`."""
        return (cls(), cls(residual=0), cls(share=0.2, residual=0))

    @property
    def keys(self) -> Coder:
        """See `Codec.keys`."""
        wide = PerChannel(MinMax(2), self.group)
        narrow: Coder = PerChannel(ZeroOrScale(), self.group)
        if self.share in SHARES_WITH_SPECTRUM:
            narrow = Transformed(Spectrum(), narrow)
        return WithTail(MixedChannels(self.share, wide, narrow), Newest(self.residual, self.group))

    @property
    def values(self) -> Coder:
        """See `Codec.values`."""
        by_channel = PerChannel(UnscaledTernary(self.gamma), self.group)
        return WithTail(by_channel, Newest(self.residual, self.group))
