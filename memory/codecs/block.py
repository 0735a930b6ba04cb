"""Lookout's own codec: blocks of 64 tokens, by channel, two bits per number and 24 per group.

A block is what is frozen and thawed together: 64 tokens of one layer, whose every (head, channel)
is a group with its own centre and step (see `memory.codecs.fitted`). Keys are un-rotated, which
leaves their loud channels loud for all tokens alike, and grouping by channel then needs neither
calibration nor a list of loud ones. True bits: 2 + 24 / 64 = 2.375 for keys and for values.
Positions and marks of what is valid (`memory.codecs.frozen`) add 52 bits per token for all layers
together, so the whole is at most 2.5 for every model with 208 numbers of keys per token or more.

Blocks have one size, whatever they hold: the last block of a run is filled up with its last token,
which leaves its groups' ends, and so the first candidate step, where they are; only squared errors
weigh that token more.

Where it goes beyond KIVI and VidKV: 64 tokens per group instead of 32 and a step of one byte (0.375
instead of 1 bit of overhead), paid back by choosing the step that loses least.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import torch
from torch import Tensor

from memory.codecs.codec import Codec, Coder, Planes, Shape
from memory.codecs.fitted import Fitted
from memory.codecs.grouping import PerChannel
from memory.codecs.ternary import Ternary

TOKENS = 64  # of a block


def blocks_of(tokens: int) -> int:
    """Blocks that hold so many tokens."""
    return -(-tokens // TOKENS)


@dataclass(frozen=True)
class Filled(Coder):
    """Another coder for whole blocks; the last is filled up with the last token."""

    whole: Coder

    @property
    def by_head(self) -> bool:
        """See `Coder.by_head`."""
        return self.whole.by_head

    def encode(self, x: Tensor) -> Planes:
        """See `Coder.encode`."""
        missing = -x.shape[1] % TOKENS
        return self.whole.encode(torch.cat([x, x[:, -1:].expand(-1, missing, -1)], 1))

    def decode(self, planes: Planes, shape: Shape) -> Tensor:
        """See `Coder.decode`."""
        heads, tokens, d = shape
        return self.whole.decode(planes, (heads, blocks_of(tokens) * TOKENS, d))[:, :tokens]


@dataclass(frozen=True)
class Block(Codec):
    """Fitted codes by channel, for keys and values alike.

    Args:
        bits: of a code, 1 to 8: 4 for layers that must lose less.
        candidates: steps tried per group; 1 spans the ends of every group.
    """

    bits: int = 2
    candidates: int = 8
    method: Literal["block"] = "block"

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 8 or self.candidates < 1:
            raise ValueError("codes have 1 to 8 bits and at least one step is tried")

    @classmethod
    def variants(cls) -> tuple[Self, ...]:
        """See `Codec.variants`."""
        return (cls(), cls(candidates=1), cls(bits=4))

    @property
    def keys(self) -> Coder:
        """See `Codec.keys`."""
        return Filled(PerChannel(Fitted(self.bits, self.candidates), TOKENS))

    @property
    def values(self) -> Coder:
        """See `Codec.values`."""
        return self.keys


@dataclass(frozen=True)
class BlockTernary(Codec):
    """As `Block`, with ternary values at 1.6 + 16 / 64 bits: 2.11 for keys and values together.

    Args:
        gamma: values up to gamma mean |v| become zero.
    """

    gamma: float = 0.7
    method: Literal["block_ternary"] = "block_ternary"

    def __post_init__(self) -> None:
        if not 0 <= self.gamma < 1:
            raise ValueError(f"gamma lies in [0, 1), not {self.gamma}")

    @property
    def keys(self) -> Coder:
        """See `Codec.keys`."""
        return Filled(PerChannel(Fitted(), TOKENS))

    @property
    def values(self) -> Coder:
        """See `Codec.values`."""
        return Filled(PerChannel(Ternary(self.gamma), TOKENS))
