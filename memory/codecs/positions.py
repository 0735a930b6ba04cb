"""Positions (t, h, w) of frozen tokens: one base per block, small offsets per token.

Positions grow for ever and are 64 bits wide; those of the 64 tokens of a block lie close together.
Offsets are 16 bits wide where all fit and 32 where one does not. Nothing is rounded.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from memory.codecs.block import TOKENS, blocks_of


@dataclass(frozen=True, slots=True, eq=False)
class PackedPositions:
    """What `pack_positions` stores."""

    base: Tensor  # int64 [blocks, 3], the least of each block
    offsets: Tensor  # int16 or int32 [tokens, 3], at least 0

    @property
    def nbytes(self) -> int:
        """Bytes stored."""
        return self.base.nbytes + self.offsets.nbytes


def pack_positions(positions: Tensor) -> PackedPositions:
    """Positions as bases and offsets.

    Args:
        positions: int64 [tokens, 3], at least one token.

    Raises:
        ValueError: if they have another shape or type, or those of one block lie 2^31 apart.
    """
    if positions.ndim != 2 or positions.shape[1] != 3 or positions.dtype != torch.int64:
        raise ValueError(f"positions are int64 [tokens, 3], not {list(positions.shape)}")
    if not len(positions):
        raise ValueError("there are no positions")
    base = torch.stack([block.amin(0) for block in torch.split(positions, TOKENS)])
    offsets = positions - _spread(base, len(positions))
    widest = int(offsets.max())
    for dtype in (torch.int16, torch.int32):
        if int(offsets.min()) >= 0 and widest <= torch.iinfo(dtype).max:
            return PackedPositions(base, offsets.to(dtype))
    raise ValueError(f"positions of one block lie {widest} apart")


def unpack_positions(packed: PackedPositions) -> Tensor:
    """The positions that `pack_positions` was given, int64 [tokens, 3]."""
    return packed.offsets.long() + _spread(packed.base, len(packed.offsets))


def _spread(base: Tensor, tokens: int) -> Tensor:
    """Each token's base, int64 [tokens, 3]."""
    assert len(base) == blocks_of(tokens)
    return base.repeat_interleave(TOKENS, dim=0)[:tokens]
