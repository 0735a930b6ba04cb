"""A camera's memory: at most `capacity` tokens of keys and values, in pages of the pool.

Eviction is slot reuse: new tokens take the places of those given up, and attention does not mind
the order. A snapshot is a copied block table with references; pages that a snapshot names are
copied before they are written, out of pages leased when the snapshot was taken.

All methods belong to one thread (the engine's); counters may be read from any.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.errors import CapacityExceeded
from memory.eviction import SINK, EvictionPolicy
from memory.pool import Lease, PagePool
from memory.slots import SlotTable
from memory.view import View


@dataclass(frozen=True, slots=True, eq=False)
class Extent:
    """What a memory covered when it was looked at."""

    next_position: int  # rotary position of the token that would come next
    t_start: float | None  # stream seconds of the oldest step, None when there is none
    t_end: float | None


class Snapshot:
    """An immutable view of a memory that one answer reads. Release it on the memory's thread."""

    def __init__(
        self, memory: KVMemory, table: list[int], lease: Lease, view: View, extent: Extent
    ) -> None:
        self.view = view
        self.extent = extent
        self._memory = memory
        self._table = table
        self._lease = lease
        self._open = True

    def release(self) -> None:
        """Give back references and leased pages. Idempotent."""
        if self._open:
            self._open = False
            self._memory._forget(self)

    def names(self, page: int) -> bool:
        """Whether this snapshot reads the page."""
        return page in self._table


class KVMemory:
    """The bounded KV store of one camera.

    Args:
        pool: where its pages live; `capacity` tokens are leased now.
        capacity: most tokens it ever holds.
        policy: what is given up when it is full.

    Raises:
        CapacityExceeded: if the pool cannot promise the pages.
    """

    def __init__(self, pool: PagePool, capacity: int, policy: EvictionPolicy) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1 token, not {capacity}")
        self.pool = pool
        self.capacity = capacity
        self.policy = policy
        self.seen = 0  # tokens ever appended
        self.next_position = 0
        self._lease = pool.lease(pool.pages_for(capacity))
        self._table: list[int] = []
        self._slots = SlotTable.empty()
        self._snapshots: list[Snapshot] = []
        self._group = 0

    @property
    def held(self) -> int:
        """Tokens stored now."""
        return len(self._slots)

    @property
    def slots(self) -> SlotTable:
        """What is known of each slot; do not change it."""
        return self._slots

    def view(self) -> View:
        """What attention reads now; valid until the next append."""
        return View.of(self._table, self.held, self.pool.page_size, self.pool.device)

    def append(
        self, source: Tensor, positions: NDArray[np.int64], times: NDArray[np.float64] | None
    ) -> int:
        """Copy tokens from the pool's flat slots `source` into this memory; returns how many went.

        Args:
            source: flat slots of finished keys and values in all layers, int64 [n].
            positions: rotary (t, h, w), [n, 3].
            times: stream seconds of each token's temporal step, non-decreasing [n]; tokens of one
                time are one group. None marks the sink, which is never evicted.

        Raises:
            CapacityExceeded: if the sink would leave no room for anything else.
        """
        new = self._describe(positions, times)
        sink = int((self._slots.group == SINK).sum() + (new.group == SINK).sum())
        if sink >= self.capacity:
            raise CapacityExceeded(
                f"the fixed beginning takes {sink} of {self.capacity} tokens: raise memory.capacity"
            )
        both = self._slots.joined(new)
        gone = self.policy.evict(both, self.capacity)
        assert len(both) - len(gone) <= self.capacity, "an eviction policy kept too much"
        stays = np.setdiff1d(np.arange(self.held, len(both)), gone) - self.held
        self._write(gone[gone < self.held], stays, new, source)
        self.seen += len(new)
        return len(gone)

    def snapshot(self, *, sink_only: bool = False) -> Snapshot:
        """What is held now, unaffected by whatever comes.

        Args:
            sink_only: the fixed beginning and no step; the next position is then the sink's.

        Raises:
            CapacityExceeded: if the pool cannot promise the pages that later writes would copy.
        """
        view = self._sink_view() if sink_only else self.view()
        extent = self._sink_extent() if sink_only else self.extent()
        table = self._table[: len(view.pages)]
        lease = self.pool.lease(len(table))
        self.pool.hold(table)
        snapshot = Snapshot(self, table, lease, view, extent)
        self._snapshots.append(snapshot)
        return snapshot

    def extent(self) -> Extent:
        """Next position and the stretch of stream that is held."""
        times = self._slots.time[self._slots.group != SINK]
        if not len(times):
            return Extent(self.next_position, None, None)
        return Extent(self.next_position, float(times.min()), float(times.max()))

    def oldest_position(self) -> int:
        """Rotary position of the oldest step held; the next one if there is none."""
        steps = self._slots.positions[self._slots.group != SINK]
        return int(steps.min()) if len(steps) else self.next_position

    def drift(self) -> int:
        """Positions that eviction has left between the sink and the oldest step; 0 at first."""
        sink = self._slots.positions[self._slots.group == SINK]
        return self.oldest_position() - int(sink.max()) - 1 if len(sink) else 0

    def move_sink(self, source: Tensor, positions: NDArray[np.int64]) -> None:
        """Put the same sink, computed at other positions, in the place of the present one.

        Args:
            source: flat slots of its keys and values in all layers, int64 [n].
            positions: rotary (t, h, w), [n, 3].

        Raises:
            ValueError: if it is not as long as the present one.
        """
        places = np.flatnonzero(self._slots.group == SINK)
        if len(places) != len(positions):
            raise ValueError(f"a sink of {len(places)} tokens, not {len(positions)}")
        self._prepare(places)
        self.pool.copy_slots(source, self._flat(places))
        self._slots.positions[places] = positions

    def release(self) -> None:
        """Give all pages back; snapshots keep theirs until they are released. Idempotent."""
        self.pool.drop(self._table)
        self._table = []
        self._slots = SlotTable.empty()
        self._lease.close()

    def _sink_view(self) -> View:
        sink = self._slots.group == SINK
        length = int(sink.sum())
        assert sink[:length].all(), "the sink comes first and its slots are never reused"
        return View.of(self._table, length, self.pool.page_size, self.pool.device)

    def _sink_extent(self) -> Extent:
        sink = self._slots.positions[self._slots.group == SINK]
        return Extent(int(sink.max()) + 1 if len(sink) else 0, None, None)

    def _describe(
        self, positions: NDArray[np.int64], times: NDArray[np.float64] | None
    ) -> SlotTable:
        n = len(positions)
        if times is None:
            return SlotTable(positions, np.full(n, SINK, np.int64), np.full(n, np.nan))
        starts = np.concatenate([[False], times[1:] != times[:-1]]) if n else np.empty(0, bool)
        group = self._group + np.cumsum(starts).astype(np.int64)
        self._group = int(group[-1]) + 1 if n else self._group
        return SlotTable(positions, group, times.astype(np.float64))

    def _write(
        self, freed: NDArray[np.int64], stays: NDArray[np.int64], new: SlotTable, source: Tensor
    ) -> None:
        """Put the surviving new rows into freed places first, then at the end; close holes."""
        before = self.held
        reused = freed[: len(stays)]
        grown = np.arange(before, before + len(stays) - len(reused))
        places = np.concatenate([reused, grown]).astype(np.int64)
        added = new.rows(stays)
        self._slots = self._slots.joined(added.rows(np.arange(len(reused), len(stays))))
        self._slots.put(reused, added.rows(np.arange(len(reused))))
        self._prepare(places)
        self.pool.copy_slots(source[torch.from_numpy(stays)], self._flat(places))
        self._close_holes(freed[len(stays) :])

    def _close_holes(self, holes: NDArray[np.int64]) -> None:
        """Move the last slots into holes that no new token filled, and shorten."""
        if not len(holes):
            return
        end = self.held - len(holes)
        inside = holes[holes < end]
        movers = np.setdiff1d(np.arange(end, self.held), holes)
        self._prepare(inside)
        self.pool.copy_slots(self._flat(movers), self._flat(inside))
        self._slots.put(inside, self._slots.rows(movers))
        self._slots = self._slots.rows(np.arange(end))

    def _prepare(self, places: NDArray[np.int64]) -> None:
        """Own, unshared pages under all `places`: new ones at the end, copies of pinned ones."""
        size = self.pool.page_size
        for page_index in np.unique(places // size).tolist():
            if page_index == len(self._table):
                self._table.append(self._lease.take())
            elif self.pool.references(self._table[page_index]) > 1:
                self._copy_on_write(page_index)

    def _copy_on_write(self, page_index: int) -> None:
        old = self._table[page_index]
        payer = next(s for s in self._snapshots if s.names(old) and s._lease.rights > 0)
        fresh = payer._lease.take()
        self.pool.copy_page(old, fresh)
        self.pool.drop([old])
        self._table[page_index] = fresh

    def _flat(self, places: NDArray[np.int64]) -> Tensor:
        size = self.pool.page_size
        pages = np.asarray(self._table, np.int64)[places // size]
        return torch.from_numpy(pages * size + places % size).to(self.pool.device)

    def _forget(self, snapshot: Snapshot) -> None:
        self._snapshots.remove(snapshot)
        self.pool.drop(snapshot._table)
        snapshot._lease.close()
