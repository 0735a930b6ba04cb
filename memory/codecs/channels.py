"""More bits for the channels that are hard to encode: two coders, one for each kind."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from memory.codecs.bits import pack, unpack
from memory.codecs.codec import Coder, Planes, Shape, nest, part


@dataclass(frozen=True)
class MixedChannels(Coder):
    """The widest channels through one coder, all others through another.

    A channel is as wide as its greatest number minus its least, over all heads and tokens of the
    block together; one set of channels therefore serves all heads. It is stored, one bit each.

    Args:
        share: of the channels that are wide, 0 to 1.
        wide: their coder.
        narrow: that of all others.
    """

    share: float
    wide: Coder
    narrow: Coder

    @property
    def by_head(self) -> bool:
        """See `Coder.by_head`: which channels are wide is decided for all heads."""
        return False

    def encode(self, x: Tensor) -> Planes:
        """See `Coder.encode`."""
        least, greatest = x.float().flatten(0, 1).aminmax(dim=0)
        width = greatest - least  # [d]
        count = round(self.share * len(width))
        wide = torch.zeros_like(width, dtype=torch.bool)
        wide[width.argsort(descending=True, stable=True)[:count]] = True
        planes = {"wide": pack(wide, 1, clamped=True)}
        for name, coder, chosen in self._parts(wide):
            planes |= nest(name, coder.encode(x[..., chosen]))
        return planes

    def decode(self, planes: Planes, shape: Shape) -> Tensor:
        """See `Coder.decode`."""
        heads, tokens, d = shape
        wide = unpack(planes["wide"], 1, d).bool()
        x = torch.empty(shape, device=wide.device)
        for name, coder, chosen in self._parts(wide):
            inside = (heads, tokens, int(chosen.sum()))
            x[..., chosen] = coder.decode(part(name, planes), inside)
        return x

    def _parts(self, wide: Tensor) -> list[tuple[str, Coder, Tensor]]:
        both = [("of_wide", self.wide, wide), ("of_narrow", self.narrow, ~wide)]
        return [entry for entry in both if bool(entry[2].any())]
