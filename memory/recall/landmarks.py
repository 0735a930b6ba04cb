"""What steps are found by, of all tiers side by side: one matrix, so that finding is one product.

It lies in front of the device's arena and grows and shrinks with the steps there are.
"""

from __future__ import annotations

import torch
from torch import Tensor

from memory.pool import KVShape
from memory.recall.arena import Arena


class Landmarks:
    """A row for each step: the mean of its bare visual keys.

    Args:
        arena: whose front they take.
        shape: of one token's keys.
    """

    def __init__(self, arena: Arena, shape: KVShape) -> None:
        self._arena = arena
        self._size = (shape.layers, shape.kv_heads, shape.head_dim)
        self.row = 2 * shape.layers * shape.kv_heads * shape.head_dim  # bytes
        self.count = 0

    @property
    def matrix(self) -> Tensor:
        """All rows, bfloat16 [count, layers, kv_heads, d]; shares memory, do not change it."""
        return self._rows(self.count)

    def fits(self) -> bool:
        """Whether there is room for one more."""
        return self._arena.makes_front((self.count + 1) * self.row)

    def add(self, landmark: Tensor) -> int:
        """Put one at the end; the number of its row. `fits()`.

        Args:
            landmark: [layers, kv_heads, d].
        """
        self._rows(self.count + 1)[-1].copy_(landmark)
        self.count += 1
        return self.count - 1

    def remove(self, row: int) -> None:
        """Take one out; the last row moves into its place."""
        rows = self._rows(self.count)
        if row != self.count - 1:
            rows[row].copy_(rows[-1])
        self.count -= 1
        self._rows(self.count)

    def _rows(self, count: int) -> Tensor:
        front = self._arena.front(count * self.row)
        return front.view(torch.bfloat16).view(count, *self._size)
