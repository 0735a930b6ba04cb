"""Whatever of a change fails, a memory is as it was before, or says that it is broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from itertools import count

import numpy as np
import pytest
import torch

from core.errors import CapacityExceeded
from memory.codecs.plain import Plain
from memory.memory import KVMemory
from memory.notes import Note
from memory.policies.infinipot_v import InfiniPotV
from memory.policies.movie_chat import MovieChat
from memory.policies.policy import Observes
from memory.policies.registry import POLICIES
from memory.policies.sink_window import SinkWindow
from memory.reach import Reach
from memory.recall.archive import Archive
from memory.saving.state import MemoryState
from memory.scratch import Scratch
from tests.memory.failing import Exhausted
from tests.memory.policies.running import ROTATION, SHAPE, Run

EVERY = pytest.mark.parametrize("kind", POLICIES, ids=lambda kind: kind.__name__)
HEADWISE = pytest.mark.parametrize("policy", [SinkWindow(), InfiniPotV()], ids=["steps", "heads"])
PLACES = [0, 3, 5, 6, 9, 12]


def full(policy, **settings) -> Run:
    """A memory that must give something up for the next step, read by a snapshot."""
    run = Run(policy, capacity=40, **settings)
    while run.memory.held + len(PLACES) + 1 <= run.memory.capacity and run.step < 12:
        run.watch(PLACES)
    return run


class Next:
    """One more step of a run, computed and not yet in memory."""

    def __init__(self, run: Run) -> None:
        self.memory, base = run.memory, run.memory.next_position
        n = len(PLACES) + 1
        self.positions = np.repeat(np.arange(base, base + n)[:, None], 3, axis=1)
        self.visual = np.array([False] + [True] * len(PLACES))
        self.times = np.full(n, float(run.step))
        self.slots = Scratch(run.pool, n).extend(n)
        generator = torch.Generator().manual_seed(7)
        for store in (run.pool.keys, run.pool.values):
            made = torch.randn(SHAPE.layers, n, SHAPE.kv_heads, SHAPE.head_dim, generator=generator)
            store.flatten(1, 2)[:, self.slots] = made
        self.seen = run.observed()
        if self.memory.policy.observes is Observes.STATES:
            for layer, cosines in enumerate(run.likeness(len(PLACES))):
                self.seen.note_likeness(layer, cosines)

    def enter(self) -> None:
        self.memory.append(self.slots, self.positions, self.times, self.visual, self.seen)


def same(one: MemoryState, other: MemoryState) -> bool:
    numbers = ("next_position", "next_group", "seen", "notes")
    table = all(
        np.array_equal(getattr(one.tokens, f.name), getattr(other.tokens, f.name), equal_nan=True)
        for f in fields(one.tokens)
    )
    return (
        table
        and all(torch.equal(getattr(one, x), getattr(other, x)) for x in ("keys", "values", "rows"))
        and all(getattr(one, x) == getattr(other, x) for x in numbers)
    )


def fails_everywhere(memory: KVMemory, change: Callable[[], object], by: int = 1) -> int:
    """Let a change fail at each of its calls in turn, then succeed; how many it makes.

    Args:
        memory: that is changed.
        change: made again and again.
        by: only every so manieth call fails, where there are thousands.
    """
    before, end = memory.state(), memory.end
    for n in count(0, by):
        exhausted = Exhausted(n)
        try:
            with exhausted:
                change()
        except torch.OutOfMemoryError:
            assert same(memory.state(), before), f"call {n} left a trace"
            assert memory.end == end
            memory.pool.check()
            continue
        assert not exhausted.failed, "who fails must say so"
        return n
    raise AssertionError


@EVERY
def test_a_step_that_fails_to_enter_at_whatever_call_leaves_no_trace_and_can_enter_later(kind):
    run, undisturbed = full(kind()), full(kind())
    snapshot = run.memory.snapshot()
    read = run.pool.read(snapshot.view.slots)
    each = 1 if kind in (SinkWindow, InfiniPotV, MovieChat) else 7
    assert fails_everywhere(run.memory, Next(run).enter, each) > 20
    Next(undisturbed).enter()
    assert same(run.memory.state(), undisturbed.memory.state())
    assert all(map(torch.equal, read, run.pool.read(snapshot.view.slots)))
    snapshot.release()


@HEADWISE
def test_steps_out_of_reach_and_the_beginning_go_or_move_whole_or_not_at_all(policy):
    run = full(policy, reach=Reach(60))
    memory = run.memory
    far = memory.next_position + 40
    assert fails_everywhere(memory, lambda: memory.keep_within_reach(far)) > 5
    scratch = Scratch(run.pool, 3)
    slots, at = scratch.extend(3), np.repeat(np.arange(50, 53)[:, None], 3, axis=1)
    run.pool.keys.flatten(1, 2)[:, slots] = 3.0
    assert fails_everywhere(memory, lambda: memory.move_sink(slots, at)) > 5
    assert memory.tokens.positions[memory.tokens.sink].tolist() == at.tolist()


@HEADWISE
def test_notes_are_taken_in_and_moved_whole_or_not_at_all(policy):
    run = full(policy)
    run.memory.release()
    memory = KVMemory(run.pool, 40, policy, ROTATION, noting=12)
    run.memory = memory
    run.append(np.repeat(np.arange(3)[:, None], 3, axis=1), None, np.zeros(3, bool))
    memory.next_position, run.step = 3, 0
    run.watch(PLACES)
    for number in range(4):
        scratch, note = Scratch(run.pool, 5), Note(number, number + 0.5, (1, 2, 3, 4, 5))
        slots, at = scratch.extend(5), np.repeat(np.arange(20, 25)[:, None], 3, axis=1)
        assert fails_everywhere(memory, lambda n=note, s=slots, a=at: memory.note(n, s, a)) > 5
    assert len(memory.notes) == 2
    scratch = Scratch(run.pool, 10)
    slots, at = scratch.extend(10), np.repeat(np.arange(9, 19)[:, None], 3, axis=1)
    change = lambda: memory.move_notes(list(memory.notes), slots, at)  # noqa: E731
    assert fails_everywhere(memory, change) > 5


def test_two_changes_in_one_are_made_together_or_not_at_all():
    run = full(SinkWindow())
    before, one = run.memory.state(), Next(run)
    with pytest.raises(ValueError, match="no"), run.memory.change():
        one.enter()
        assert not same(run.memory.state(), before)
        raise ValueError("no")
    assert same(run.memory.state(), before)


@HEADWISE
def test_what_was_overwritten_twice_in_a_change_is_what_it_was_before_the_first_time(policy):
    run = full(policy)
    before = run.memory.state()
    with pytest.raises(ValueError, match="no"), run.memory.change():
        for number in (1, 2):
            scratch = Scratch(run.pool, 3)
            slots, at = scratch.extend(3), np.repeat(np.arange(50, 53)[:, None], 3, axis=1)
            run.pool.keys.flatten(1, 2)[:, slots] = float(number)
            run.memory.move_sink(slots, at)
        raise ValueError("no")
    assert same(run.memory.state(), before)


@HEADWISE
def test_what_comes_after_a_change_that_failed_lies_where_it_would_without_it(policy):
    run, undisturbed = (Run(policy, capacity=40, reach=Reach(60)) for _ in range(2))
    for each in (run, undisturbed):
        for _ in range(3):
            each.watch(PLACES)
    held = run.memory.held
    with pytest.raises(ValueError, match="no"), run.memory.change():
        assert run.memory.keep_within_reach(run.memory.next_position + 50) > 0
        raise ValueError("no")
    assert run.memory.held == held
    for each in (run, undisturbed):
        each.watch(PLACES)  # there is room: nothing goes
        assert each.memory.held == held + len(PLACES) + 1
        assert each.memory.view().lengths is None, "all heads hold as many"
    assert same(run.memory.state(), undisturbed.memory.state())


@HEADWISE
def test_a_snapshot_that_fails_at_any_call_pins_no_page(policy):
    run = full(policy)
    free, unpromised = run.pool.free, run.pool.unpromised
    for sink_only in (False, True):
        for n in count():
            try:
                with Exhausted(n):
                    snapshot = run.memory.snapshot(sink_only=sink_only)
            except torch.OutOfMemoryError:
                assert (run.pool.free, run.pool.unpromised) == (free, unpromised)
                continue
            snapshot.release()
            break
        assert n > 2


def test_a_memory_that_fails_to_be_made_takes_no_page():
    run = full(SinkWindow())
    free = run.pool.unpromised
    for n in count():
        try:
            with Exhausted(n):
                KVMemory(run.pool, 40, SinkWindow(), ROTATION).release()
        except torch.OutOfMemoryError:
            assert run.pool.unpromised == free
            continue
        break
    assert n > 0


@HEADWISE
def test_a_memory_whose_way_back_fails_too_says_that_it_is_broken_and_gives_its_pages_back(policy):
    broken = 0
    for n in count():
        run = full(policy)
        one, exhausted = Next(run), Exhausted(n, n + 10_000)  # and nothing gets better
        before = run.memory.state()
        try:
            with exhausted:
                one.enter()
        except torch.OutOfMemoryError:
            broken += run.memory.broken
            if not run.memory.broken:
                assert same(run.memory.state(), before)
            else:
                with pytest.raises(AssertionError):
                    run.memory.state()
        run.memory.release()
        run.pool.check()
        if not exhausted.failed:
            break
    assert broken > 0, "or this test shows nothing"


def archived(*, host_bytes: int = 0) -> Run:
    run = Run(SinkWindow(), capacity=40)
    run.memory.release()
    archive = Archive(Plain(), ROTATION, SHAPE, 60_000, host_bytes=host_bytes)
    run.memory = KVMemory(run.pool, 40, SinkWindow(), ROTATION, archive)
    run.append(np.repeat(np.arange(3)[:, None], 3, axis=1), None, np.zeros(3, bool))
    run.memory.next_position = 3
    return run


def test_a_step_is_in_memory_or_in_the_archive_or_counted_as_forgotten_wherever_it_fails():
    lost = whole = 0
    for n in count():
        run = archived(host_bytes=20_000)
        for _ in range(13):  # the next one freezes what is gathered
            run.watch(PLACES)
        archive, before = run.memory.archive, run.memory.state()
        assert archive is not None
        known = archive.holdings
        exhausted = Exhausted(n)
        try:
            with exhausted:
                Next(run).enter()
        except torch.OutOfMemoryError:
            assert same(run.memory.state(), before)
            assert archive.holdings == known
        else:
            lost += archive.forgotten > 0
            whole += archive.forgotten == 0
            held = {float(time) for time in run.memory.tokens.time if not np.isnan(time)}
            frozen = [one.time for one in archive.steps]
            assert not held & set(frozen)
            assert len(set(frozen)) == len(frozen)
            assert len(held) + len(frozen) + archive.forgotten == 14
        run.watch(PLACES)  # and it goes on
        assert archive.forgotten + len(archive.steps) + len(set(run.memory.tokens.group)) - 1 >= 14
        opening = archive.open(archive.steps)
        assert all(each is not None for each in opening.steps(torch.device("cpu")))
        if not exhausted.failed:
            break
    assert lost > 10 and whole > 0


def test_what_a_failed_change_gave_up_does_not_reach_the_archive_later():
    run = archived()
    while run.memory.held + len(PLACES) + 1 <= run.memory.capacity:
        run.watch(PLACES)
    archive = run.memory.archive
    assert archive is not None
    with pytest.raises(ValueError, match="no"), run.memory.change():
        Next(run).enter()
        raise ValueError("no")
    assert archive.steps == ()
    for _ in range(2):
        run.watch(PLACES)
        held = {float(time) for time in run.memory.tokens.time if not np.isnan(time)}
        frozen = [one.time for one in archive.steps]
        assert frozen == sorted(set(frozen)) != []
        assert not held & set(frozen)


def test_a_beginning_that_leaves_no_room_is_refused_before_anything_changes():
    run = Run(SinkWindow(), capacity=40)
    before = run.memory.state()
    with pytest.raises(CapacityExceeded):
        run.append(np.repeat(np.arange(50)[:, None], 3, axis=1), None, np.zeros(50, bool))
    assert same(run.memory.state(), before)
