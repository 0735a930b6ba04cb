"""Laws of a camera's memory under random appends, snapshots and evictions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.errors import CapacityExceeded
from memory.memory import KVMemory
from memory.policies.sink_window import SinkWindow
from memory.pool import KVShape, PagePool
from memory.scratch import Scratch
from memory.snapshot import Snapshot

SHAPE = KVShape(2, 1, 4)


def append(memory: KVMemory, numbers: list[int], times: list[float] | None) -> int:
    """Tokens whose every key is their number and every value its negative."""
    scratch = Scratch(memory.pool, len(numbers))
    slots = fill(scratch, numbers)
    positions = np.repeat(np.array(numbers, np.int64)[:, None], 3, axis=1)
    evicted = memory.append(slots, positions, None if times is None else np.array(times))
    scratch.release()
    return evicted


def fill(scratch: Scratch, numbers: list[int]) -> torch.Tensor:
    """Write the numbers into the scratch; their flat slots."""
    slots = scratch.extend(len(numbers))
    filled = torch.tensor(numbers, dtype=torch.float32)[:, None, None]
    scratch._pool.keys.flatten(1, 2)[:, slots] = filled
    scratch._pool.values.flatten(1, 2)[:, slots] = -filled
    return slots


def read(pool: PagePool, view) -> set[int]:
    """Numbers of the tokens in a view, after checking that all layers agree."""
    keys = pool.keys.flatten(1, 2)[:, view.slots]
    values = pool.values.flatten(1, 2)[:, view.slots]
    assert torch.equal(keys, -values)
    assert bool((keys == keys[:1, :, :1, :1]).all())
    numbers = keys[0, :, 0, 0].long().tolist()
    assert len(set(numbers)) == len(numbers)
    return set(numbers)


class Machine(RuleBasedStateMachine):
    """A memory beside a plain list of what it should hold."""

    @initialize(
        capacity=st.integers(6, 40), page=st.sampled_from([1, 3, 8]), sink=st.integers(0, 4)
    )
    def start(self, capacity, page, sink):
        self.pool = PagePool(SHAPE, 600, page)
        self.memory = KVMemory(self.pool, capacity, SinkWindow())
        self.number = self.time = self.moves = 0
        self.sink = list(range(sink))
        self.number += sink
        self.window: list[list[int]] = []  # steps, oldest first
        self.snapshots: list[tuple[Snapshot, set[int]]] = []
        if sink:
            append(self.memory, self.sink, None)

    @rule(steps=st.lists(st.integers(1, 12), min_size=1, max_size=3))
    def watch(self, steps):
        numbers, times = [], []
        for size in steps:
            self.window.append(list(range(self.number, self.number + size)))
            numbers += self.window[-1]
            times += [float(self.time)] * size
            self.number += size
            self.time += 1
        evicted = append(self.memory, numbers, times)
        before = sum(map(len, self.window))
        room = self.memory.capacity - len(self.sink)
        while len(self.window) > 1 and sum(map(len, self.window)) > room:
            self.window.pop(0)
        self.window[0] = self.window[0][max(0, sum(map(len, self.window)) - room) :]
        assert evicted == before - sum(map(len, self.window))

    @precondition(lambda self: self.sink)
    @rule()
    def move_sink(self):
        scratch = Scratch(self.pool, len(self.sink))
        self.moves += 1
        self.sink = [10_000 * self.moves + n for n in range(len(self.sink))]
        slots = fill(scratch, self.sink)
        self.memory.move_sink(slots, np.repeat(np.array(self.sink)[:, None], 3, axis=1))
        scratch.release()

    @precondition(lambda self: len(self.snapshots) < 4)
    @rule()
    def look(self):
        self.snapshots.append((self.memory.snapshot(), self.expected()))

    @precondition(lambda self: self.snapshots)
    @rule(which=st.integers(0, 3))
    def look_away(self, which):
        snapshot, _ = self.snapshots.pop(which % len(self.snapshots))
        snapshot.release()
        snapshot.release()

    def expected(self) -> set[int]:
        return {*self.sink, *(n for step in self.window for n in step)}

    @invariant()
    def holds_what_it_should(self):
        memory = self.memory
        assert memory.held <= memory.capacity
        assert memory.held == len(self.expected())
        assert memory.seen == self.number
        assert read(self.pool, memory.view()) == self.expected()
        keys = self.pool.keys.flatten(1, 2)[0, memory.view().slots, 0, 0].long().tolist()
        positions = memory.tokens.positions[memory.rows[0, 0].numpy(), 0]
        assert keys == positions.tolist(), "columns follow their tokens"
        self.pool.check()

    @invariant()
    def snapshots_never_change(self):
        for snapshot, held in self.snapshots:
            assert read(self.pool, snapshot.view) == held

    def teardown(self):
        if not hasattr(self, "memory"):
            return
        self.memory.release()
        for snapshot, held in self.snapshots:
            assert read(self.pool, snapshot.view) == held, "a snapshot outlives its memory"
            snapshot.release()
        self.memory.release()
        assert self.pool.free == self.pool.unpromised == self.pool.pages


Machine.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestMemory = Machine.TestCase


def test_a_snapshot_needs_pages_for_every_copy_and_is_refused_without():
    pool = PagePool(SHAPE, 12, 4)
    memory = KVMemory(pool, 20, SinkWindow())  # 5 pages, leaving 7
    append(memory, list(range(20)), [float(n // 5) for n in range(20)])
    first = memory.snapshot()
    with pytest.raises(CapacityExceeded):
        memory.snapshot()
    first.release()
    memory.snapshot().release()


def test_copies_on_write_come_out_of_the_snapshots_lease_however_long_it_lives():
    pool = PagePool(SHAPE, 5 + 5 + 5 + 2, 4)
    memory = KVMemory(pool, 20, SinkWindow())
    append(memory, list(range(20)), [float(n // 5) for n in range(20)])
    snapshots = [memory.snapshot(), memory.snapshot()]
    for number in range(20, 200, 5):
        append(memory, list(range(number, number + 5)), [float(number)] * 5)
        for snapshot in snapshots:
            assert read(pool, snapshot.view) == set(range(20))
    for snapshot in snapshots:
        snapshot.release()
    memory.release()
    assert pool.free == pool.unpromised == pool.pages


def test_a_beginning_that_fills_the_memory_is_refused():
    memory = KVMemory(PagePool(SHAPE, 40, 4), 8, SinkWindow())
    with pytest.raises(CapacityExceeded, match="capacity"):
        append(memory, list(range(8)), None)


def test_drift_is_what_eviction_left_between_sink_and_oldest_step():
    memory = KVMemory(PagePool(SHAPE, 40, 4), 8, SinkWindow())
    append(memory, [0, 1], None)
    memory.next_position = 2
    assert (memory.drift(), memory.oldest_position()) == (0, 2)
    for step in range(10):
        append(memory, [10 + 2 * step, 11 + 2 * step], [float(step)] * 2)
    assert (memory.drift(), memory.oldest_position()) == (22, 24)
    scratch = Scratch(memory.pool, 3)
    slots = fill(scratch, [22, 23, 24])
    with pytest.raises(ValueError, match="2 tokens, not 3"):
        memory.move_sink(slots, np.zeros((3, 3), np.int64))
    memory.move_sink(slots[:2], np.array([[22] * 3, [23] * 3]))
    assert memory.drift() == 0
    assert read(memory.pool, memory.view()) == {22, 23, *range(24, 30)}


def test_extent_tells_what_stretch_of_stream_is_held():
    memory = KVMemory(PagePool(SHAPE, 40, 4), 8, SinkWindow())
    append(memory, [0, 1], None)
    assert memory.extent().t_start is None
    for step in range(10):
        append(memory, [10 + 2 * step, 11 + 2 * step], [float(step)] * 2)
    extent = memory.extent()
    assert (extent.t_start, extent.t_end) == (7.0, 9.0)
