"""The way back from a change that could not be finished."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from memory.pool import PagePool


class Undo:
    """What a change overwrote in a pool, copied before.

    Copies are of what is overwritten only: as many tokens as a segment brings where a policy gives
    up no more than that. One that empties a full memory down to a target closes as many holes as
    stay behind them, up to about half of the capacity; that much is taken of the device until the
    change is made.

    Args:
        pool: that is written.
    """

    def __init__(self, pool: PagePool) -> None:
        self._pool = pool
        self._back: list[Callable[[], None]] = []

    def slots(self, slots: Tensor) -> None:
        """Keep flat slots, int64 [n]."""
        keys, values = self._pool.read(slots)
        self._back.append(lambda: self._pool.write(slots[None, None], keys, values))

    def heads(self, slots: Tensor) -> None:
        """Keep flat slots that differ from head to head, int64 [layers or 1, kv_heads or 1, n]."""
        keys, values = self._pool.read_heads(slots)
        self._back.append(lambda: self._pool.write(slots, keys, values))

    def entries(self, layer: Tensor, head: Tensor, slots: Tensor) -> None:
        """Keep flat slots of single heads, each int64 [n]."""
        stored = self._pool.entries(layer, head, slots)
        self._back.append(lambda: self._pool.write_entries(layer, head, slots, stored))

    def take_back(self) -> None:
        """Write all of it where it was, the newest first."""
        while self._back:
            self._back.pop()()
