"""What a stream of days would show: positions far out, and very many operations on one pool."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch

from core.errors import CapacityExceeded
from memory.memory import KVMemory
from memory.observation import Observed
from memory.policies.infinipot_v import InfiniPotV
from memory.policies.policy import MemoryPolicy
from memory.policies.registry import POLICIES
from memory.policies.sink_window import RecentSteps, SinkWindow
from memory.pool import KVShape, PagePool
from memory.rotation import Rotation
from memory.scratch import Scratch
from memory.snapshot import Snapshot
from tests.memory.policies.running import HEADS, ROTATION, SHAPE, Run
from tests.memory.test_memory import append

torch.set_num_threads(1)

FAR = 10_000_000  # positions: some days of one frame per second
# Angles are exact in float64 and sines and cosines are rounded to float32 once.
BOUND = 1e-5


class Later(Run):
    """Every position lies `start` later, those that are asked from too."""

    def __init__(self, policy: MemoryPolicy, start: int) -> None:
        self.start = start
        super().__init__(policy, capacity=60, seed=4)
        for number in range(14):
            self.watch(sorted(random.Random(number).sample(range(16), 9)))

    def append(self, positions: np.ndarray, *args, **planted) -> None:
        super().append(positions + self.start, *args, **planted)

    def observed(self) -> Observed:
        seen, now = Observed(6), self.start + self.memory.next_position
        for layer in range(SHAPE.layers):
            bare = torch.randn(HEADS, 6, SHAPE.head_dim, generator=self.torch)
            seen.note(layer, ROTATION.put(bare, torch.full((6, 3), now)).transpose(0, 1))
        return seen


@pytest.mark.parametrize("kind", POLICIES, ids=lambda kind: kind.__name__)
def test_every_policy_keeps_the_same_tokens_ten_million_positions_later(kind):
    one, other = Later(kind(), 0), Later(kind(), FAR)
    near, far = one.memory, other.memory
    assert far.seen > 2 * far.held
    assert torch.equal(near.rows, far.rows)
    assert (far.tokens.positions - near.tokens.positions == FAR).all()
    values = [run.pool.values.flatten(1, 2)[:, run.memory.view().slots] for run in (one, other)]
    assert (values[0] - values[1]).abs().max() < BOUND


class Busy:
    """Cameras and answers come, work and go at random over one pool, for ever.

    Every token's key is its number, so that what a snapshot reads can be told.
    """

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.pool = PagePool(KVShape(1, 1, 2), 70, 4)
        self.memories: list[KVMemory] = []
        self.snapshots: list[tuple[Snapshot, torch.Tensor]] = []
        self.scratches: list[Scratch] = []
        self.number = self.refused = self.done = 0

    def act(self) -> None:
        """One operation; what the pool refuses is counted and must change nothing."""
        free, unpromised = self.pool.free, self.pool.unpromised
        operation = self.chance.choice(self.operations)
        try:
            operation(self)
        except CapacityExceeded:
            self.refused += 1
            assert (self.pool.free, self.pool.unpromised) == (free, unpromised)
        self.done += 1

    def open(self) -> None:
        """A camera with a sink of up to three tokens."""
        policy = self.chance.choice(self.policies)
        memory = KVMemory(self.pool, self.chance.randint(8, 60), policy, Rotation.plain(2))
        try:
            if sink := self.chance.randint(0, 3):
                append(memory, self._numbers(sink), None)
        except CapacityExceeded:
            memory.release()
            raise
        self.memories.append(memory)

    def watch(self) -> None:
        """A segment of one to three steps, in scratch pages of its own first."""
        if not self.memories:
            return
        memory = self.chance.choice(self.memories)
        sizes = [self.chance.randint(1, 7) for _ in range(self.chance.randint(1, 3))]
        times = [float(i) for i, size in enumerate(sizes) for _ in range(size)]
        append(memory, self._numbers(len(times)), times)

    def look(self) -> None:
        """An answer begins."""
        if self.memories:
            snapshot = self.chance.choice(self.memories).snapshot()
            self.snapshots.append((snapshot, self._read(snapshot)))

    def speak(self) -> None:
        """An answer takes private pages, or says some more in those it has."""
        if not self.scratches or self.chance.random() < 0.3:
            self.scratches.append(Scratch(self.pool, self.chance.randint(1, 30)))
            return
        scratch = self.chance.choice(self.scratches)
        scratch.extend(self.chance.randint(0, scratch.capacity - scratch.held))
        scratch.rewind(self.chance.randint(0, scratch.held))

    def end(self) -> None:
        """An answer ends, and what it read is what it read at first."""
        if self.snapshots:
            snapshot, read = self.snapshots.pop(self.chance.randrange(len(self.snapshots)))
            assert torch.equal(self._read(snapshot), read)
            for _ in range(self.chance.randint(1, 2)):
                snapshot.release()
        if self.scratches:
            self.scratches.pop(self.chance.randrange(len(self.scratches))).release()

    def close(self) -> None:
        """A camera goes; answers about it may go on."""
        if self.memories:
            memory = self.memories.pop(self.chance.randrange(len(self.memories)))
            for _ in range(self.chance.randint(1, 2)):
                memory.release()

    def finish(self) -> None:
        """Everybody goes, in any order."""
        leaving: list[Callable[[], None]] = [x.release for x in (*self.memories, *self.scratches)]
        leaving += [snapshot.release for snapshot, _ in self.snapshots]
        self.chance.shuffle(leaving)
        for leave in leaving:
            leave()

    # One in four has tables of tokens head by head.
    policies = (SinkWindow(), SinkWindow(), RecentSteps(2), InfiniPotV())
    operations = (open, watch, watch, look, look, look, *[speak] * 6, end, end, end, close)

    def _numbers(self, count: int) -> list[int]:
        first, self.number = self.number, (self.number + count) % 10**6
        return list(range(first, first + count))

    def _read(self, snapshot: Snapshot) -> torch.Tensor:
        return self.pool.keys.flatten(1, 2)[0, snapshot.view.slots, 0, 0].clone()


def test_100_000_random_operations_leak_no_page():
    busy = Busy(7)
    while busy.done < 100_000:
        busy.act()
        if busy.done % 500 == 0:
            busy.pool.check()
    assert 1000 < busy.refused < 60_000, "sometimes there was no room, and mostly there was"
    assert busy.memories or busy.snapshots or busy.scratches
    busy.finish()
    busy.pool.check()
    assert busy.pool.free == busy.pool.unpromised == busy.pool.pages
