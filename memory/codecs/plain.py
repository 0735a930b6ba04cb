"""No codec at all: keys and values as they are (ReKV, arXiv 2503.00540, offloads them so)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from memory.codecs.codec import Codec, Coder, Planes, Shape


@dataclass(frozen=True)
class AsIs(Coder):
    """Stores what it is given."""

    def encode(self, x: Tensor) -> Planes:
        """See `Coder.encode`."""
        return {"x": x.clone()}

    def decode(self, planes: Planes, shape: Shape) -> Tensor:
        """See `Coder.decode`."""
        return planes["x"].float()


@dataclass(frozen=True)
class Plain(Codec):
    """Every number in the type it has: the control of all codecs."""

    method: Literal["plain"] = "plain"

    @property
    def keys(self) -> Coder:
        """See `Codec.keys`."""
        return AsIs()

    @property
    def values(self) -> Coder:
        """See `Codec.values`."""
        return AsIs()
