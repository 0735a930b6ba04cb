"""Frozen tokens as one stretch of bytes, and back: what tiers hold, move and write.

A layout says where in the bytes each plane lies; runs of as many tokens have equal ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import torch
from torch import Tensor

from core.sending import sent
from memory.codecs.codec import Codec, Shape
from memory.codecs.frozen import Frozen, freeze
from memory.codecs.layers import Layers
from memory.codecs.positions import PackedPositions
from memory.pool import KVShape

_ALIGNED: Final = 16  # every plane begins at a multiple of so many bytes
_WIDE: Final = 2**17  # positions of one block that lie so far apart need 32 bits


@dataclass(frozen=True, slots=True)
class Field:
    """One tensor of a run; planes of codecs have the layers first."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    offset: int  # bytes

    @property
    def nbytes(self) -> int:
        """Bytes it takes."""
        return self.dtype.itemsize * math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Layout:
    """What the bytes of a run mean."""

    codec: Codec
    shape: Shape  # of one layer: heads, tokens, d
    dtype: torch.dtype  # of what was packed
    fields: tuple[Field, ...]

    @property
    def tokens(self) -> int:
        """Tokens of the run."""
        return self.shape[1]

    @property
    def nbytes(self) -> int:
        """Bytes of the run."""
        return _padded(self.fields[-1].offset + self.fields[-1].nbytes)

    @property
    def wide(self) -> bool:
        """Whether its positions take 32 bits each."""
        return any(f.name == "offsets" and f.dtype == torch.int32 for f in self.fields)


def wrap(frozen: Frozen) -> tuple[Layout, Tensor]:
    """The bytes of a run, uint8 [nbytes], on the device of its codes, and what they mean."""
    tensors, fields, offset = dict(_tensors(frozen)), [], 0
    for name, tensor in tensors.items():
        fields.append(Field(name, tensor.dtype, tuple(tensor.shape), offset))
        offset = _padded(offset + tensor.nbytes)
    keys = frozen.keys
    layout = Layout(frozen.codec, keys.shape, keys.dtype, tuple(fields))
    device = next(iter(keys.planes.values())).device
    data = torch.zeros(layout.nbytes, dtype=torch.uint8, device=device)
    for field, tensor in zip(fields, tensors.values(), strict=True):
        _part(data, field).copy_(sent(tensor, device))
    return layout, data


def unwrap(layout: Layout, data: Tensor) -> Frozen:
    """The run that `wrap` was given, on the device of `data`; shares its memory.

    Args:
        layout: of the run.
        data: uint8 [nbytes], contiguous and aligned as new tensors are.
    """
    parts = {field.name: _part(data, field) for field in layout.fields}

    def layers(side: str) -> Layers:
        planes = {
            name.removeprefix(f"{side}."): stack
            for name, stack in parts.items()
            if name.startswith(f"{side}.")
        }
        return Layers(planes, layout.shape, layout.dtype)

    positions = PackedPositions(parts["base"], parts["offsets"])
    return Frozen(layout.codec, layers("keys"), layers("values"), positions, parts["marks"])


@lru_cache(maxsize=1024)  # an archive that is restored asks for the same few thousands of times
def expected(codec: Codec, shape: KVShape, tokens: int, wide: bool = False) -> Layout:
    """The layout of runs of so many tokens, read off zeros: no codec says it a second time.

    Args:
        codec: that packs them.
        shape: of one token's keys and values.
        tokens: at least 1; 2 if `wide`.
        wide: whether positions of one block lie so far apart that they take 32 bits.
    """
    zeros = torch.zeros(shape.layers, shape.kv_heads, tokens, shape.head_dim, dtype=shape.dtype)
    positions = torch.zeros(tokens, 3, dtype=torch.int64)
    if wide:
        positions[1] = _WIDE
    return wrap(freeze(codec, zeros, zeros, positions))[0]


def _tensors(frozen: Frozen) -> Iterator[tuple[str, Tensor]]:
    for side, layers in (("keys", frozen.keys), ("values", frozen.values)):
        for plane, tensor in layers.planes.items():
            yield f"{side}.{plane}", tensor
    yield "base", frozen.positions.base
    yield "offsets", frozen.positions.offsets
    yield "marks", frozen.marks


def _part(data: Tensor, field: Field) -> Tensor:
    part = data[field.offset : field.offset + field.nbytes]
    return part.view(field.dtype).view(field.shape)


def _padded(nbytes: int) -> int:
    return -(-nbytes // _ALIGNED) * _ALIGNED
