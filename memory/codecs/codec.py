"""The contract of every codec: keys and values of one layer into few bytes, and back.

A codec is a frozen dataclass: its fields are the method's parameters, and it holds nothing about
any camera. Keys come un-rotated: rotation mixes pairs of channels by a different angle for every
token, which spoils what makes channels cheap, and positions can then be given anew at thaw.
Everything decoding needs lies in the planes of a `Packed`, so its bytes are the true bytes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, is_dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

Planes = dict[str, Tensor]
Shape = tuple[int, int, int]  # heads, tokens, d

LARGEST = 2.0**30  # what is larger is no key and no value but a broken model


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """What a codec made of the keys or of the values of some tokens in one layer."""

    planes: Planes  # codes, scales, ...: all that is stored
    shape: Shape
    dtype: torch.dtype  # of what was encoded and will be decoded

    @property
    def nbytes(self) -> int:
        """Bytes stored."""
        return sum(plane.nbytes for plane in self.planes.values())

    @property
    def bits_per_number(self) -> float:
        """True bits: all that is stored over all numbers that come back."""
        heads, tokens, d = self.shape
        return 8 * self.nbytes / (heads * tokens * d)


class Coder(ABC):
    """Encodes one tensor into planes; what codecs are put together from."""

    @property
    def by_head(self) -> bool:
        """Whether every head is encoded by itself, and planes have the heads first."""
        return True

    @abstractmethod
    def encode(self, x: Tensor) -> Planes:
        """The planes of `x`, finite, of any float type, [heads, tokens, d]."""

    @abstractmethod
    def decode(self, planes: Planes, shape: Shape) -> Tensor:
        """What the planes stand for, float32 of this shape."""


class Codec(ABC):
    """Encodes keys and values; un-rotated keys, any float type, any device.

    Laws, tested for every codec in `memory.codecs.registry`: what comes back has the shape, type
    and device of what was given; inputs are unchanged; the same input gives the same bytes; zeros
    come back as zeros; heads do not depend on each other unless the method says so; what is not
    finite is refused.

    Subclasses are frozen dataclasses of parameters with defaults, the last one `method`.
    """

    # Pydantic reads this: an unknown field in a configuration is refused, not ignored.
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    method: str  # its name in configurations and tables; subclasses say Literal["..."] = "..."

    @property
    @abstractmethod
    def keys(self) -> Coder:
        """What encodes keys."""

    @property
    @abstractmethod
    def values(self) -> Coder:
        """What encodes values."""

    @property
    def label(self) -> str:
        """The codec with every parameter that is not its default; for tables."""
        assert is_dataclass(self)
        values = {f.name: (getattr(self, f.name), f.default) for f in fields(self)}
        changed = [f"{name}={value}" for name, (value, usual) in values.items() if value != usual]
        return f"{self.method}({', '.join(changed)})" if changed else self.method

    @classmethod
    def variants(cls) -> tuple[Self, ...]:
        """The settings that tests hold to the laws and tables compare; the default first."""
        return (cls(),)

    def encode_keys(self, keys: Tensor) -> Packed:
        """Pack un-rotated keys.

        Args:
            keys: of one layer, oldest token first, [heads, tokens, d].

        Raises:
            ValueError: if there are none, they are not finite, or d does not suit the method.
        """
        return _encode(self.keys, keys)

    def encode_values(self, values: Tensor) -> Packed:
        """Pack values; as `encode_keys`."""
        return _encode(self.values, values)

    def decode_keys(self, packed: Packed) -> Tensor:
        """The keys, un-rotated, [heads, tokens, d], in the type they had."""
        return _decode(self.keys, packed)

    def decode_values(self, packed: Packed) -> Tensor:
        """The values, [heads, tokens, d], in the type they had."""
        return _decode(self.values, packed)


def _encode(coder: Coder, x: Tensor) -> Packed:
    if x.ndim != 3 or not x.numel() or not x.is_floating_point():
        raise ValueError(f"keys and values are [heads, tokens, d] numbers, not {list(x.shape)}")
    x = x.detach()
    check_numbers(x.abs())
    heads, tokens, d = x.shape
    return Packed(coder.encode(x), (heads, tokens, d), x.dtype)


def _decode(coder: Coder, packed: Packed) -> Tensor:
    return narrowed(coder.decode(packed.planes, packed.shape), packed.dtype)


def check_numbers(sizes: Tensor) -> None:
    """Refuse what no codec packs; whoever asks waits for the device.

    Args:
        sizes: absolute values.

    Raises:
        ValueError: if one of them is not finite or beyond `LARGEST`.
    """
    if not bool((sizes <= LARGEST).all()):  # false for NaN too
        raise ValueError("keys or values hold NaN, infinity or numbers beyond 2 ** 30")


def narrowed(x: Tensor, dtype: torch.dtype) -> Tensor:
    """What was decoded, in the type that it had."""
    largest = torch.finfo(dtype).max  # outer levels may lie beyond it; infinity must not be
    return x.clamp(-largest, largest).to(dtype)


def nest(name: str, planes: Planes) -> Planes:
    """The planes of a part, under its name."""
    return {f"{name}.{key}": plane for key, plane in planes.items()}


def part(name: str, planes: Planes) -> Planes:
    """The planes that `nest` put under a name."""
    prefix = f"{name}."
    return {k.removeprefix(prefix): plane for k, plane in planes.items() if k.startswith(prefix)}
