"""Keys or values of all layers at once.

Who packs layer by layer starts as many times as many small computations on a device. A coder that
takes every head by itself does not mind whose heads it gets: those of all layers are then one
tensor of many heads. What comes out is what single layers give.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from memory.codecs.codec import Codec, Coder, Packed, Planes, Shape, narrowed


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """What a codec made of the keys or of the values of some tokens in all layers."""

    planes: Planes  # as those of `Packed`, with the layers first
    shape: Shape  # of one layer
    dtype: torch.dtype  # of what was encoded and will be decoded

    def __len__(self) -> int:
        return len(next(iter(self.planes.values())))

    @property
    def nbytes(self) -> int:
        """Bytes stored."""
        return sum(plane.nbytes for plane in self.planes.values())

    @staticmethod
    def of(packed: Packed) -> Layers:
        """A single layer."""
        planes = {name: plane[None] for name, plane in packed.planes.items()}
        return Layers(planes, packed.shape, packed.dtype)


def encode_both(codec: Codec, keys: Tensor, values: Tensor) -> tuple[Layers, Layers]:
    """Pack un-rotated keys and values that were looked at before: finite, not too large.

    Args:
        codec: how.
        keys: [layers, heads, tokens, d].
        values: as keys.

    Raises:
        ValueError: if d does not suit the method.
    """
    _, heads, tokens, d = keys.shape
    shape = heads, tokens, d
    if codec.keys == codec.values:
        planes = _encode(codec.keys, torch.cat([keys, values]))
        sides = [{name: plane.chunk(2)[side] for name, plane in planes.items()} for side in (0, 1)]
    else:
        sides = [_encode(codec.keys, keys), _encode(codec.values, values)]
    return Layers(sides[0], shape, keys.dtype), Layers(sides[1], shape, values.dtype)


def decode_both(codec: Codec, keys: Layers, values: Layers) -> tuple[Tensor, Tensor]:
    """The inverse: un-rotated keys and values, each [layers, heads, tokens, d]."""
    if codec.keys != codec.values or keys.dtype != values.dtype:
        return (
            narrowed(_decode(codec.keys, keys.planes, keys.shape), keys.dtype),
            narrowed(_decode(codec.values, values.planes, values.shape), values.dtype),
        )
    both = {name: torch.cat([plane, values.planes[name]]) for name, plane in keys.planes.items()}
    first, second = narrowed(_decode(codec.keys, both, keys.shape), keys.dtype).chunk(2)
    return first, second


def _encode(coder: Coder, x: Tensor) -> Planes:
    if coder.by_head:
        planes = coder.encode(x.flatten(0, 1))
        return {name: torch.unflatten(p, 0, x.shape[:2]) for name, p in planes.items()}
    layers = [coder.encode(layer) for layer in x]
    return {name: torch.stack([layer[name] for layer in layers]) for name in layers[0]}


def _decode(coder: Coder, planes: Planes, shape: Shape) -> Tensor:
    """Float32 [layers, heads, tokens, d]."""
    heads, tokens, d = shape
    layers = len(next(iter(planes.values())))
    if coder.by_head:
        flat = {name: plane.flatten(0, 1) for name, plane in planes.items()}
        return torch.unflatten(coder.decode(flat, (layers * heads, tokens, d)), 0, (layers, heads))
    each = [{name: plane[n] for name, plane in planes.items()} for n in range(layers)]
    return torch.stack([coder.decode(one, shape) for one in each])
