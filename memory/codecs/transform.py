"""Changes of basis along the channels of a token, and coders that work in another basis.

One sign per number keeps little of a channel that is far from zero or far louder than its
neighbours; in a basis where every number is a mix of all channels there is no such channel.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor

from memory.codecs.codec import Coder, Planes, Shape


class Transform(ABC):
    """A change of basis of the last axis."""

    @abstractmethod
    def numbers(self, channels: int) -> int:
        """Numbers that so many channels become."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Float32 [..., n] to float32 [..., numbers(n)]."""

    @abstractmethod
    def inverse(self, y: Tensor) -> Tensor:
        """Float32 [..., numbers(n)] back to float32 [..., n]."""


@dataclass(frozen=True)
class Hartley(Transform):
    """The discrete Hartley transform: real, orthonormal, its own inverse, for any n.

    H(x) = (Re F(x) - Im F(x)) / sqrt(n), F the discrete Fourier transform: both carry the same
    information, but n real numbers become n, and an error made there is as large here.
    """

    def numbers(self, channels: int) -> int:
        """See `Transform.numbers`."""
        return channels

    def forward(self, x: Tensor) -> Tensor:
        """See `Transform.forward`."""
        spectrum: Tensor = torch.fft.fft(x)
        return (spectrum.real - spectrum.imag) / sqrt(x.shape[-1])

    def inverse(self, y: Tensor) -> Tensor:
        """See `Transform.inverse`."""
        return self.forward(y)


@dataclass(frozen=True)
class Spectrum(Transform):
    """The discrete Fourier transform, all real parts and then all imaginary ones.

    Of real numbers, half of it mirrors the other half: n numbers become 2 n, and each is encoded.
    """

    def numbers(self, channels: int) -> int:
        """See `Transform.numbers`."""
        return 2 * channels

    def forward(self, x: Tensor) -> Tensor:
        """See `Transform.forward`."""
        spectrum = torch.fft.fft(x)
        return torch.cat([spectrum.real, spectrum.imag], -1)

    def inverse(self, y: Tensor) -> Tensor:
        """See `Transform.inverse`: what is imaginary of the inverse is let go."""
        real, imaginary = y.chunk(2, -1)
        signal: Tensor = torch.fft.ifft(torch.complex(real, imaginary))
        return signal.real


@dataclass(frozen=True)
class Transformed(Coder):
    """Another coder, in another basis of the channels."""

    transform: Transform
    inner: Coder

    @property
    def by_head(self) -> bool:
        """See `Coder.by_head`."""
        return self.inner.by_head

    def encode(self, x: Tensor) -> Planes:
        """See `Coder.encode`."""
        return self.inner.encode(self.transform.forward(x.float()))

    def decode(self, planes: Planes, shape: Shape) -> Tensor:
        """See `Coder.decode`."""
        heads, tokens, d = shape
        inside = (heads, tokens, self.transform.numbers(d))
        return self.transform.inverse(self.inner.decode(planes, inside))
