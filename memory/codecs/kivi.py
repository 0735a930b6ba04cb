"""KIVI (Liu et al., ICML 2024, arXiv 2402.02750): keys by channel, values by token.

Keys have a few loud channels, so a group is `group` tokens of one channel; values have none, so a
group is `group` channels of one token and a value is encoded the moment it leaves the residual.
Both are asymmetric (see `memory.codecs.minmax`). Newest tokens stay as they are: keys until
`residual` have gathered, which are then encoded together, values as long as they are among the
`residual` newest. Defaults of the paper: 2 bits, group 32, residual 128. With groups of 32 the 32
bits of scale and zero are one bit per number: "2 bits" are 3.

Deviations: keys are un-rotated as everywhere here (the paper quantises rotated ones); the release
packs codes into int32 words and keeps scales in the model's 16-bit type, we pack into bytes and
keep bfloat16, which is as large; codes are chosen for the scale as stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from memory.codecs.codec import Codec, Coder
from memory.codecs.grouping import PerChannel, PerToken
from memory.codecs.minmax import MinMax
from memory.codecs.tail import Flushed, Newest, WithTail


@dataclass(frozen=True)
class KIVI(Codec):
    """Asymmetric codes, keys by channel and values by token.

    Args:
        bits: of a code, 1 to 8.
        group: numbers that share a scale.
        residual: newest tokens kept as they are, a multiple of group; 0 for blocks that were
            frozen because they are no longer new.
    """

    bits: int = 2
    group: int = 32
    residual: int = 128
    method: Literal["kivi"] = "kivi"

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 8 or self.group < 1:
            raise ValueError("codes have 1 to 8 bits and groups at least one number")
        if self.residual < 0 or self.residual % self.group:
            raise ValueError(f"a residual of {self.residual} is no multiple of {self.group}")

    @classmethod
    def variants(cls) -> tuple[Self, ...]:
        """See `Codec.variants`."""
        return (cls(), cls(residual=0), cls(bits=4, group=64, residual=0))

    @property
    def keys(self) -> Coder:
        """See `Codec.keys`."""
        by_channel = PerChannel(MinMax(self.bits), self.group)
        return WithTail(by_channel, Flushed(self.residual or self.group))

    @property
    def values(self) -> Coder:
        """See `Codec.values`."""
        return WithTail(PerToken(MinMax(self.bits), self.group), Newest(self.residual, 1))
