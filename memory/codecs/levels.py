"""The contract of scalar quantisers: numbers of a group become codes that share a scale.

Groups are the last axis. Codes of a group lie together and groups of one [rows, g] plane follow
each other, so a 64-token block of 128 channels at two bits is 2 KiB in one piece.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from memory.codecs.codec import Planes


class Levels(ABC):
    """Few levels per group; subclasses are frozen dataclasses."""

    @abstractmethod
    def encode(self, x: Tensor) -> Planes:
        """Codes and scales of finite numbers.

        Args:
            x: float32 [heads, blocks, rows, g]; each run of g numbers is one group.

        Returns:
            `codes`, uint8 [heads, blocks, bytes], and planes [heads, blocks, rows] of scales.
        """

    @abstractmethod
    def decode(self, planes: Planes, rows: int, size: int) -> Tensor:
        """What the codes stand for, float32 [heads, blocks, rows, size].

        Args:
            planes: what `encode` returned.
            rows: groups of a block.
            size: numbers of a group.
        """
