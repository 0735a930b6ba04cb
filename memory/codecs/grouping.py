"""Which numbers share a scale: a run of tokens in one channel, or of channels in one token."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from memory.codecs.codec import Coder, Planes, Shape
from memory.codecs.levels import Levels


@dataclass(frozen=True)
class PerChannel(Coder):
    """Groups along tokens, for tensors whose channels differ: a loud one spoils no other.

    Args:
        levels: of each group.
        group: tokens of a group; tokens must be a multiple.
    """

    levels: Levels
    group: int

    def encode(self, x: Tensor) -> Planes:
        """See `Coder.encode`."""
        if x.shape[1] % self.group:
            raise ValueError(f"{x.shape[1]} tokens are no whole groups of {self.group}")
        groups = torch.unflatten(x.float(), 1, (-1, self.group))  # [heads, blocks, group, d]
        return self.levels.encode(groups.transpose(2, 3))

    def decode(self, planes: Planes, shape: Shape) -> Tensor:
        """See `Coder.decode`."""
        x = self.levels.decode(planes, shape[2], self.group)  # [heads, blocks, d, group]
        return x.transpose(2, 3).flatten(1, 2)


@dataclass(frozen=True)
class PerToken(Coder):
    """Groups along channels: a token is encoded as it comes, whoever follows.

    Args:
        levels: of each group.
        group: channels of a group; d must be a multiple, or smaller: then it is one group.
    """

    levels: Levels
    group: int

    def encode(self, x: Tensor) -> Planes:
        """See `Coder.encode`."""
        group = min(self.group, x.shape[2])
        if x.shape[2] % group:
            raise ValueError(f"{x.shape[2]} channels are no whole groups of {group}")
        return self.levels.encode(torch.unflatten(x.float(), 2, (-1, group)))

    def decode(self, planes: Planes, shape: Shape) -> Tensor:
        """See `Coder.decode`."""
        group = min(self.group, shape[2])
        return self.levels.decode(planes, shape[2] // group, group).flatten(2, 3)
