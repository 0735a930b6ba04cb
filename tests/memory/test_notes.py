"""Notes in a memory: bounded, outliving what they are about, invisible to every policy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.errors import CapacityExceeded
from memory.codecs.plain import Plain
from memory.memory import KVMemory
from memory.notes import Note
from memory.policies.infinipot_v import InfiniPotV
from memory.policies.live_vlm import LiveVLM
from memory.policies.registry import POLICIES
from memory.policies.sink_window import SinkWindow
from memory.pool import PagePool
from memory.reach import Reach
from memory.recall.archive import Archive
from memory.scratch import Scratch
from memory.table import NOTE
from tests.memory.policies.running import ROTATION, SHAPE, Run

EVERY = pytest.mark.parametrize("kind", POLICIES, ids=lambda kind: kind.__name__)
ROOM = 14  # tokens for notes


class Noting(Run):
    """A run whose memory sets some of its capacity aside, and that can write notes."""

    def __init__(self, policy, capacity=60, seed=0, noting=ROOM, archive=None, reach=None) -> None:
        super().__init__(policy, capacity, seed=seed)
        self.memory.release()
        self.pool = PagePool(SHAPE, 100, 8)
        self.memory = KVMemory(self.pool, capacity, policy, ROTATION, archive, reach, noting)
        self.torch = torch.Generator().manual_seed(seed)
        self.evicted = 0
        self.append(np.repeat(np.arange(3)[:, None], 3, axis=1), None, np.zeros(3, bool))
        self.memory.next_position = 3

    def note(self, length: int, seed: int = 0) -> Note:
        """A note about the newest step; its keys and values come from a source of their own."""
        at = self.memory.next_position
        positions = np.repeat(np.arange(at, at + length)[:, None], 3, axis=1)
        note = Note(self.step - 1.5, self.step - 1.0 + seed / 100, tuple(range(at, at + length)))
        self.write(note, positions)
        return note

    def write(self, note: Note, positions: np.ndarray, moved: bool = False) -> None:
        source = torch.Generator().manual_seed(len(note) + positions[0, 0].item())
        size = (SHAPE.layers, len(note), SHAPE.kv_heads, SHAPE.head_dim)
        scratch = Scratch(self.pool, len(note))
        slots = scratch.extend(len(note))
        for store, known in ((self.pool.keys, self.keys), (self.pool.values, self.values)):
            made = torch.randn(size, generator=source)
            store.flatten(1, 2)[:, slots] = made
            for i, position in enumerate(positions.tolist()):
                known[tuple(position)] = made[:, i]
        try:
            if moved:
                self.memory.move_notes([note], slots, positions)
            else:
                self.memory.note(note, slots, positions)
                self.memory.next_position = int(positions.max()) + 1
        finally:
            scratch.release()

    def check(self) -> None:
        """Every head reads all notes, and everything it holds as it was written."""
        memory = self.memory
        keys = self.pool.keys.flatten(1, 2)[:, memory.view().slots]
        values = self.pool.values.flatten(1, 2)[:, memory.view().slots]
        noted = [tuple(at) for at in memory.tokens.positions[memory.tokens.note].tolist()]
        assert len(noted) == sum(map(len, memory.notes)) <= memory.noting
        assert memory.held <= memory.capacity
        for layer in range(SHAPE.layers):
            for head in range(SHAPE.kv_heads):
                held = self.held(layer, head)
                assert set(noted) <= set(held)
                for position, slot in held.items():
                    key, value = (known[position] for known in (self.keys, self.values))
                    assert torch.equal(keys[layer, slot, head], key[layer, head])
                    assert torch.equal(values[layer, slot, head], value[layer, head])
        self.pool.check()


def feed(run: Run, steps: int) -> None:
    for _ in range(steps):
        count = int(run.rng.integers(0, 14))
        run.watch(sorted(run.rng.choice(16, count, replace=False).tolist()))


@EVERY
def test_a_note_outlives_the_step_it_is_about_in_every_head_whatever_the_policy(kind):
    run = Noting(kind())
    feed(run, 2)
    note = run.note(5)
    feed(run, 30)
    assert run.memory.notes == (note,)
    assert run.memory.seen > 3 * run.memory.capacity
    run.check()
    assert (run.memory.tokens.note & (run.memory.tokens.time == note.t_end)).sum() == 5


@EVERY
def test_a_policy_decides_as_if_there_were_no_notes(kind):
    """The same steps stay, head by head, as in a smaller memory that knows no notes.

    Of policies that choose among equals by slot only as many: notes move what is in the slots.
    """
    plain, noted = Run(kind(), capacity=60 - ROOM, seed=3), Noting(kind(), capacity=60, seed=3)
    for i in range(25):
        feed(plain, 1)
        feed(noted, 1)
        if i % 3 == 2:
            noted.note(4, seed=1)
            noted.memory.next_position = plain.memory.next_position  # which policies look at
        for layer in range(SHAPE.layers):
            for head in range(SHAPE.kv_heads):
                found, wanted = steps_held(noted, layer, head), steps_held(plain, layer, head)
                assert len(found) == len(wanted)
                assert found == wanted or kind in (InfiniPotV, LiveVLM)


def steps_held(run: Run, layer: int, head: int) -> list[list[int]]:
    """Positions of all that a head holds of steps, what was made of others included."""
    rows = run.memory.rows[min(layer, len(run.memory.rows) - 1)]
    rows = rows[min(head, len(rows) - 1)].numpy()
    tokens = run.memory.tokens.rows(rows[rows >= 0])
    return sorted(tokens.positions[~tokens.note].tolist())


@EVERY
def test_the_oldest_note_goes_when_a_new_one_finds_no_room_and_no_other(kind):
    run = Noting(kind(), seed=1)
    notes = []
    for length in (5, 6, 3, 7, 14, 2):
        feed(run, 3)
        notes.append(run.note(length))
        kept = run.memory.notes
        assert kept == tuple(notes[len(notes) - len(kept) :]), "the newest"
        room = ROOM - sum(map(len, kept))
        assert len(kept) == len(notes) or len(notes[-len(kept) - 1]) > room, "as many as fit"
        run.check()
    assert run.memory.notes == (notes[-1],)


def test_a_note_that_fits_nowhere_changes_nothing():
    run = Noting(SinkWindow())
    feed(run, 20)
    note = run.note(6)
    before = run.memory.held
    with pytest.raises(CapacityExceeded):
        run.note(ROOM + 1, seed=1)
    assert (run.memory.held, run.memory.notes) == (before, (note,))
    run.check()


def test_without_notes_nothing_is_set_aside():
    run = Run(SinkWindow(), capacity=60)
    feed(run, 30)
    assert run.memory.held > 60 - ROOM
    assert run.memory.noting == 0
    for noting in (60, -1):
        with pytest.raises(ValueError, match="for notes"):
            KVMemory(run.pool, 60, SinkWindow(), noting=noting)


def test_notes_are_no_steps_where_a_memory_says_what_it_covers():
    run = Noting(SinkWindow())
    feed(run, 3)
    run.note(5)
    feed(run, 30)
    extent, steps = run.memory.extent(), run.memory.tokens.step
    assert extent.t_start == run.memory.tokens.time[steps].min()
    assert extent.oldest_position == run.memory.tokens.positions[steps].min()
    assert run.memory.drift() > 0


def test_a_note_moved_behind_the_fixed_beginning_is_part_of_it():
    run = Noting(SinkWindow())
    feed(run, 3)
    note = run.note(5)
    feed(run, 30)
    oldest = run.memory.oldest_position()
    positions = np.repeat(np.arange(3, 8)[:, None], 3, axis=1)
    held = run.memory.held
    run.write(note, positions, moved=True)
    assert run.memory.held == held
    assert run.memory.extent().floor == 8
    assert run.memory.drift() == oldest - 8
    run.check()


def test_notes_never_enter_an_archive():
    archive = Archive(Plain(), ROTATION, SHAPE, 10**6)
    run = Noting(SinkWindow(), archive=archive)
    for _ in range(12):
        feed(run, 3)
        run.note(6)
    run.check()
    assert len(run.memory.notes) == 2
    steps = {step.time for step in archive.steps} | set(
        run.memory.tokens.time[run.memory.tokens.step].tolist()
    )
    assert steps == set(map(float, range(36)))
    run.memory.release()


def test_what_is_out_of_reach_goes_but_notes_stay():
    run = Noting(SinkWindow(), reach=Reach(60))
    feed(run, 3)
    note = run.note(4)
    feed(run, 20)
    assert run.memory.notes == (note,)
    steps = run.memory.tokens.positions[run.memory.tokens.step]
    assert run.memory.end - steps.min() <= 60
    run.check()


@EVERY
def test_snapshots_never_change_whatever_is_noted(kind):
    run = Noting(kind(), seed=4)
    feed(run, 8)
    taken = []
    for _ in range(8):
        run.note(6)
        snapshot = run.memory.snapshot()
        slots = snapshot.view.slots
        taken.append((snapshot, run.pool.keys.flatten(1, 2)[:, slots].clone()))
        feed(run, 1)
        for one, keys in taken:
            assert torch.equal(run.pool.keys.flatten(1, 2)[:, one.view.slots], keys)
        if len(taken) > 2:
            taken.pop(0)[0].release()
    run.memory.release()
    for one, _ in taken:
        one.release()
    assert run.pool.free == run.pool.unpromised == run.pool.pages


@EVERY
def test_a_restored_memory_has_its_notes_and_one_with_less_room_the_newest(kind):
    run = Noting(kind(), seed=2)
    feed(run, 6)
    notes = [run.note(5)]
    feed(run, 6)
    notes.append(run.note(6))
    state = run.memory.state()
    assert list(state.notes) == notes
    for room, kept in ((ROOM, notes), (8, notes[1:]), (0, [])):
        pool = PagePool(SHAPE, 100, 8)
        memory = KVMemory(pool, 60, kind(), ROTATION, noting=room)
        memory.restore(state)
        assert list(memory.notes) == kept
        assert (memory.tokens.group == NOTE).sum() == sum(map(len, kept))
        other = Noting(kind(), seed=7)
        other.memory, other.pool = memory, pool
        other.keys, other.values = run.keys, run.values
        other.check()


@EVERY
def test_steps_leave_the_room_for_notes_that_was_not_set_aside_before_a_restart(kind):
    full = Run(kind(), seed=6)
    feed(full, 20)
    pool = PagePool(SHAPE, 100, 8)
    memory = KVMemory(pool, 60, kind(), ROTATION, noting=ROOM)
    memory.restore(full.memory.state())
    other = Noting(kind(), seed=8)
    other.memory, other.pool, other.step = memory, pool, full.step
    other.keys, other.values = full.keys, full.values
    if memory.held > 60 - ROOM:
        with pytest.raises(CapacityExceeded, match="not yet free"):
            other.note(4)
    feed(other, 1)
    assert memory.held <= 60 - ROOM
    note = other.note(4)
    feed(other, 5)
    assert memory.notes == (note,)
    other.check()


@pytest.mark.parametrize("noting", [0, ROOM])
def test_steps_that_come_in_and_find_no_room_go_to_the_archive_as_those_that_went_before(noting):
    """A segment larger than the memory: every step of it is in one of both, and in its order."""
    archive = Archive(Plain(), ROTATION, SHAPE, 10**6)
    run = Noting(SinkWindow(), capacity=20 + noting, noting=noting, archive=archive)
    feed(run, 2)
    base, steps, tokens = run.memory.next_position, 6, 5
    at = base + np.arange(steps * tokens)
    times = run.step + np.repeat(np.arange(steps), tokens).astype(float)
    run.append(np.repeat(at[:, None], 3, axis=1), times, np.ones(steps * tokens, bool))
    hot = sorted(set(run.memory.tokens.time[run.memory.tokens.step].tolist()))
    past = [each.time for each in archive.steps]
    assert past == sorted(past)
    assert past + hot == [float(n) for n in range(run.step + steps)]
    assert 0 < len(hot) < steps
    assert all(len(each) == tokens for each in archive.steps[run.step :])
    run.check()
