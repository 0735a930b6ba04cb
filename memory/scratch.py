"""Private pages of one prefill or one answer: its own tokens, read causally."""

from __future__ import annotations

import torch
from torch import Tensor

from memory.pool import PagePool
from memory.view import View


class Scratch:
    """A growing run of slots that nobody else reads.

    Args:
        pool: where the pages come from.
        capacity: tokens it can ever hold; leased now, so that growing cannot fail.

    Raises:
        CapacityExceeded: if the pool cannot promise the pages.
    """

    def __init__(self, pool: PagePool, capacity: int) -> None:
        self._pool = pool
        self._lease = pool.lease(pool.pages_for(capacity))
        self._table: list[int] = []
        self.capacity = capacity
        self.held = 0
        self._view: View | None = None  # of what is held now

    def extend(self, tokens: int) -> Tensor:
        """Flat slots for `tokens` more tokens, int64 [tokens].

        Raises:
            ValueError: if that exceeds the capacity.
        """
        before = self.grow(tokens)
        return self.view().slots[before:]

    def grow(self, tokens: int) -> int:
        """Make room for `tokens` more tokens without a look at the device; how many were before.

        Raises:
            ValueError: if that exceeds the capacity.
        """
        if self.held + tokens > self.capacity:
            raise ValueError(f"{self.held} + {tokens} tokens exceed the scratch of {self.capacity}")
        before, self.held, self._view = self.held, self.held + tokens, None
        while len(self._table) * self._pool.page_size < self.held:
            self._table.append(self._lease.take())
        return before

    @property
    def pages(self) -> tuple[int, ...]:
        """Those taken so far, in order."""
        return tuple(self._table)

    def slot(self, place: int) -> int:
        """The flat slot of its n-th token."""
        page, offset = divmod(place, self._pool.page_size)
        return self._table[page] * self._pool.page_size + offset

    def view(self) -> View:
        """All slots so far."""
        if self._view is None:
            self._view = View.of(self._table, self.held, self._pool.page_size, self._pool.device)
        return self._view

    def rewind(self, held: int) -> None:
        """Forget the newest tokens down to `held`; their pages stay for the next ones."""
        if not 0 <= held <= self.held:
            raise ValueError(f"cannot rewind {self.held} tokens to {held}")
        self.held, self._view = held, None

    def release(self) -> None:
        """Give everything back. Idempotent."""
        self._pool.drop(self._table)
        self._table = []
        self.held, self._view = 0, None
        self._lease.close()


def gather(pool: PagePool, layer: int, view: View) -> tuple[Tensor, Tensor]:
    """Keys and values of a view as contiguous tensors, each [longest, kv_heads, head_dim].

    longest is the view's length, or less if no head of this layer uses so many slots. Heads that
    use fewer than longest get foreign tokens at their end, which the caller hides.
    """
    slots = view.slots
    if view.lengths is not None:
        slots = slots[: int(view.lengths[layer].max())]
    keys = pool.keys[layer].flatten(0, 1)
    values = pool.values[layer].flatten(0, 1)
    return torch.index_select(keys, 0, slots), torch.index_select(values, 0, slots)
