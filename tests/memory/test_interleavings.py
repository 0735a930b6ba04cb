"""What somebody has begun to read never changes, whatever a memory goes through meanwhile.

For every policy, heads of different lengths and the archive included: appends, evictions, freezing,
thinning, what falls out of reach and a beginning that moves, in any order.
"""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from torch import Tensor

from memory.codecs.block import Block
from memory.codecs.plain import Plain
from memory.policies.registry import POLICIES
from memory.policies.sink_window import SinkWindow
from memory.reach import Reach
from memory.recall.archive import Archive
from memory.recall.opening import Opening
from memory.recall.step import thaw
from memory.scratch import Scratch
from memory.snapshot import Snapshot
from memory.view import View
from tests.memory.policies.running import ROTATION, SHAPE, Run

CAPACITY, SINK, GRID = 60, 3, 16
ARCHIVE = 60_000  # bytes: some tens of steps
REACH = Reach(400)  # steps take 5 positions


class Machine(RuleBasedStateMachine):
    """A memory that others read while it goes on."""

    @initialize(kind=st.sampled_from([*POLICIES, *[Block, Plain] * 5]), seed=st.integers(0, 99))
    def begin(self, kind, seed):
        """A memory of that policy, or the default one with an archive of that codec."""
        archived = kind in (Block, Plain)
        policy = SinkWindow() if archived else kind()
        run = Run(policy, capacity=CAPACITY, sink=SINK, seed=seed, reach=REACH)
        if archived:
            run.memory.archive = Archive(kind(), ROTATION, SHAPE, ARCHIVE)
        self.start(run)

    def start(self, run: Run) -> None:
        self.run, self.memory = run, run.memory
        self.snapshots: list[tuple[Snapshot, list[Tensor]]] = []
        self.openings: list[tuple[Opening, list[Tensor]]] = []
        self.states: list[tuple[object, list[Tensor]]] = []

    @rule(steps=st.lists(st.integers(0, GRID), min_size=1, max_size=16))
    def watch(self, steps):
        for count in steps:
            places = self.run.rng.choice(GRID, count, replace=False)
            self.run.watch(sorted(places.tolist()))

    @rule(positions=st.sampled_from([REACH.positions // 2, 2 * REACH.positions]))
    def nothing_for_long(self, positions):
        self.memory.next_position += positions

    @rule()
    def move_sink(self):
        scratch = Scratch(self.run.pool, SINK)
        slots = scratch.extend(SINK)
        for store in (self.run.pool.keys, self.run.pool.values):
            flat = store.flatten(1, 2)
            flat[:, slots] = torch.randn(flat[:, slots].shape, generator=self.run.torch)
        at = self.memory.oldest_position() - SINK + np.arange(SINK)
        self.memory.move_sink(slots, np.repeat(at[:, None], 3, axis=1))
        scratch.release()

    @precondition(lambda self: len(self.snapshots) < 3)
    @rule(sink_only=st.booleans(), every=st.integers(1, 4))
    def look(self, sink_only, every):
        """As an answer begins: a snapshot, and what it reads of the archive."""
        archive = self.memory.archive
        if archive is not None and archive.steps:
            opening = archive.open(archive.steps[::every])
            self.openings = [*self.openings[-2:], (opening, thawed(opening))]
        snapshot = self.memory.snapshot(sink_only=sink_only)
        self.snapshots.append((snapshot, self.read(snapshot.view)))

    @precondition(lambda self: self.snapshots)
    @rule(which=st.integers(0, 2))
    def look_away(self, which):
        snapshot, _ = self.snapshots.pop(which % len(self.snapshots))
        snapshot.release()

    @rule()
    def save(self):
        state = self.memory.state()
        self.states = [*self.states[-1:], (state, copied(state))]

    def read(self, view: View) -> list[Tensor]:
        """Keys and values of each head's own slots, copied."""
        found = []
        for layer in range(SHAPE.layers):
            for head in range(SHAPE.kv_heads):
                length = view.length if view.lengths is None else int(view.lengths[layer, head])
                for store in (self.run.pool.keys, self.run.pool.values):
                    found.append(store[layer].flatten(0, 1)[view.slots[:length], head].clone())
        return found

    @invariant()
    def what_was_begun_to_be_read_is_as_it_was(self):
        for snapshot, read in self.snapshots:
            assert same(self.read(snapshot.view), read)
        for opening, read in self.openings:
            assert same(thawed(opening), read)
        for state, read in self.states:
            assert same(copied(state), read)

    @invariant()
    def nothing_outgrows_its_bounds_and_no_page_is_lost(self):
        memory = self.memory
        assert memory.held <= memory.capacity
        assert memory.archive is None or memory.archive.bytes <= ARCHIVE
        self.run.pool.check()
        assert self.run.pool.free >= self.run.pool.unpromised >= 0

    def teardown(self):
        if not hasattr(self, "memory"):
            return
        self.memory.release()
        self.what_was_begun_to_be_read_is_as_it_was()
        for snapshot, _ in self.snapshots:
            snapshot.release()
        self.memory.release()
        pool = self.run.pool
        assert pool.free == pool.unpromised == pool.pages


def thawed(opening: Opening) -> list[Tensor]:
    """Bare keys, values and positions of its steps."""
    steps = [found[0] for found in opening.steps(torch.device("cpu")) if found is not None]
    assert steps, "all lie on the device"
    return [x for each in thaw(steps) for x in (each.keys, each.values, each.positions)]


def copied(state) -> list[Tensor]:
    """What a saved state says of the hot memory."""
    tokens = state.tokens
    columns = (tokens.positions, tokens.group, tokens.time, tokens.kind)
    found = [state.keys.clone(), state.values.clone(), state.rows.clone()]
    return [*found, *(torch.from_numpy(column.copy()) for column in columns)]


def same(some: list[Tensor], others: list[Tensor]) -> bool:
    """Bit for bit; times of the beginning are no numbers."""
    return len(some) == len(others) and all(
        a.shape == b.shape and torch.equal(a.nan_to_num(-1), b.nan_to_num(-1))
        for a, b in zip(some, others, strict=True)
    )


Machine.TestCase.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
TestInterleavings = Machine.TestCase


def test_a_reader_of_the_memory_itself_would_notice():
    """The negative control: a view is no snapshot, and what it shows changes at once."""
    machine = Machine()
    machine.start(Run(SinkWindow(), capacity=CAPACITY, sink=SINK, reach=REACH))
    machine.watch([9] * 8)
    view = machine.memory.view()
    before = machine.read(view)
    machine.watch([9] * 8)
    assert not same(machine.read(view), before)
