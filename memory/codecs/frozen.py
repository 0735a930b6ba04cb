"""Frozen tokens: keys, values and positions of a run of tokens in all layers, by one codec.

What is frozen never changes: to evict a token clears its mark in a new `Frozen` that shares
everything else, so nothing is encoded twice and no error grows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from core.sending import sent
from memory.codecs.bits import pack, unpack
from memory.codecs.codec import Codec, check_numbers
from memory.codecs.layers import Layers, decode_both, encode_both
from memory.codecs.positions import PackedPositions, pack_positions, unpack_positions


@dataclass(frozen=True, slots=True, eq=False)
class Thawed:
    """The tokens of a `Frozen` that are still valid, oldest first."""

    keys: Tensor  # un-rotated, [layers, heads, tokens, d]
    values: Tensor  # [layers, heads, tokens, d]
    positions: Tensor  # int64 [tokens, 3]


@dataclass(frozen=True, slots=True, eq=False)
class Frozen:
    """A run of tokens in few bits; made by `freeze`."""

    codec: Codec
    keys: Layers
    values: Layers
    positions: PackedPositions  # shared by all layers
    marks: Tensor  # uint8 [ceil(tokens / 8)], one bit per token: 1 while it is valid

    @property
    def tokens(self) -> int:
        """Tokens frozen, valid or not."""
        return len(self.positions.offsets)

    @property
    def valid(self) -> Tensor:
        """Which tokens were not evicted, bool [tokens]."""
        return unpack(self.marks, 1, self.tokens).bool()

    @property
    def nbytes(self) -> int:
        """Bytes stored: codes, scales, tails, positions and marks."""
        packed = self.keys.nbytes + self.values.nbytes
        return packed + self.positions.nbytes + self.marks.nbytes

    @property
    def bits_per_number(self) -> float:
        """True bits: all that is stored, over the keys and values of the valid tokens.

        Raises:
            ValueError: if no token is valid.
        """
        heads, _, d = self.keys.shape
        numbers = 2 * len(self.keys) * heads * d * int(self.valid.sum())
        if not numbers:
            raise ValueError("every token was evicted: nothing is left to count bits for")
        return 8 * self.nbytes / numbers

    def evict(self, gone: Tensor) -> Frozen:
        """The same without some tokens; what is stored does not get smaller.

        Args:
            gone: bool [tokens].

        Raises:
            ValueError: if it has another shape or type.
        """
        if gone.shape != (self.tokens,) or gone.dtype != torch.bool:
            raise ValueError(f"what goes is bool [{self.tokens}], not {list(gone.shape)}")
        return replace(self, marks=pack(self.valid & ~gone, 1))

    def thaw(self, left: Tensor | None = None) -> Thawed:
        """The valid tokens, as they are read.

        Args:
            left: which these are, as `remaining` says; None: it is asked, and waited for.
        """
        rows = remaining([self])[0] if left is None else left
        keys, values = decode_both(self.codec, self.keys, self.values)
        positions = unpack_positions(self.positions)
        if len(rows) < self.tokens:
            there = sent(rows, keys.device)
            keys, values = keys[:, :, there], values[:, :, there]
            positions = positions[sent(rows, positions.device)]
        return Thawed(keys, values, positions)


def remaining(runs: Sequence[Frozen]) -> list[Tensor]:
    """Which tokens of each are still valid, int64 on the host; waits for a device once for all.

    Args:
        runs: at least one, on one device.
    """
    marks = torch.cat([run.marks for run in runs]).cpu()
    parts = torch.split(marks, [len(run.marks) for run in runs])
    bits = (unpack(part, 1, run.tokens) for part, run in zip(parts, runs, strict=True))
    return [each.nonzero()[:, 0] for each in bits]


def freeze(codec: Codec, keys: Tensor, values: Tensor, positions: Tensor) -> Frozen:
    """Freeze a run of tokens.

    Args:
        codec: how.
        keys: un-rotated, oldest token first, [layers, heads, tokens, d].
        values: as keys.
        positions: int64 [tokens, 3], on the host (if not, they are waited for); so are those of
            what is returned, and its marks.

    Raises:
        ValueError: if shapes disagree, or the codec or the positions refuse them.
    """
    if keys.ndim != 4 or keys.shape != values.shape or len(positions) != keys.shape[2]:
        raise ValueError(
            f"keys {list(keys.shape)}, values {list(values.shape)} and positions of "
            f"{len(positions)} tokens are not of the same tokens"
        )
    if not keys.numel() or not keys.is_floating_point():
        raise ValueError(f"keys and values are numbers of tokens, not {list(keys.shape)}")
    packed = pack_positions(positions.cpu())
    keys, values = keys.detach(), values.detach()
    check_numbers(torch.maximum(keys.abs(), values.abs()))
    marks = pack(torch.ones(len(positions), dtype=torch.bool), 1)
    return Frozen(codec, *encode_both(codec, keys, values), packed, marks)
