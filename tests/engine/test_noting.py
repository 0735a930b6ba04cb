"""Notes on the engine: written when nobody wants anything, kept as text, given up when stale."""

from __future__ import annotations

import random
import threading
import time

import pytest
import torch
from torch import Tensor

from core.errors import LookoutError
from engine import perception
from engine.engine import Engine
from engine.jobs import MemoryHandle
from engine.limits import Limits
from engine.noting import Noting
from engine.requests import Ask, Perceived
from engine.runner import Row, Runner
from memory.memory import KVMemory
from memory.policies.hermes import Hermes
from memory.policies.sink_window import SinkWindow
from memory.pool import PagePool
from memory.readers.torch_reader import TorchReader
from memory.saving.state import MemoryState
from memory.scratch import Scratch
from tests.engine.listeners import DEADLINE, Heard, settle, show
from tests.engine.taking import (
    LIMITS,
    NOTING,
    ROOM,
    Notes,
    Taking,
    by_hand,
    camera,
    note_keys,
    until,
)
from tests.tiny import ours, segment


@pytest.fixture
def model() -> Taking:
    torch.set_num_threads(1)
    return Taking()


@pytest.fixture
def engine(model: Taking):
    with Engine(model, LIMITS, noting=NOTING) as running:
        yield running


def test_a_note_is_the_text_prefilled_at_its_place_under_its_stretch(engine):
    notes = Notes()
    handle = camera(engine, notes)
    seen = [show(engine, handle, segment(i)) for i in range(3)]
    (note,) = notes.wait(1)
    assert (note.t_start, note.t_end) == (seen[0].steps[0].time, seen[-1].t_end)
    assert note.text.strip() == note.text != ""
    memory = handle.memory
    assert memory is not None
    (kept,) = memory.notes
    stamp = f"<{note.t_start:.1f}-{note.t_end:.1f} seconds> {note.text}"
    assert ours().detokenize(kept.ids) == stamp
    keys, values = note_keys(memory, note.t_end)
    wanted = by_hand(3, kept.ids)
    assert (keys - wanted[0]).abs().max() < 1e-4
    assert (values - wanted[1]).abs().max() < 1e-4
    assert engine.counters["notes_written"] == 1
    settle(engine, [handle])


def test_there_is_one_note_for_so_many_segments_each_about_those_since_the_one_before(engine):
    notes = Notes()
    handle = camera(engine, notes)
    times = []
    for i in range(9):
        times.append(show(engine, handle, segment(i)).t_end)
        if i % 3 == 2:
            notes.wait(i // 3 + 1)
    told = notes.wait(3)
    assert [(n.t_start, n.t_end) for n in told] == [
        (times[0], times[2]), (times[3], times[5]), (times[6], times[8])
    ]  # fmt: skip
    settle(engine, [handle])


@pytest.mark.parametrize("policy", [SinkWindow(), Hermes()])
def test_a_note_outlives_what_it_is_about_bit_for_bit_and_answers_read_it(engine, policy):
    notes = Notes()
    handle = camera(engine, notes, policy)
    for i in range(3):
        show(engine, handle, segment(i))
    first = notes.wait(1)[0]
    memory = handle.memory
    assert memory is not None
    before = note_keys(memory, first.t_end)
    about = memory.tokens.time[memory.tokens.step].max()
    for i in range(3, 9):
        show(engine, handle, segment(i))
        if len(memory.notes) == 2:
            break  # a third would take the first one's place
    if isinstance(policy, SinkWindow):
        assert memory.extent().t_start > about, "what it is about must be gone"
    after = note_keys(memory, first.t_end)
    assert torch.equal(before[0], after[0])
    assert torch.equal(before[1], after[1])
    held: list[int] = []  # on the engine's thread: as soon as the answer ends one more may be noted
    heard = Heard(lambda _: held.append(memory.held))
    engine.ask(handle, Ask("what do you see?", max_tokens=3), heard)
    heard.wait()
    assert heard.begins[0].memory_tokens == held[0]
    assert memory.held <= LIMITS.capacity
    assert sum(map(len, memory.notes)) <= ROOM
    settle(engine, [handle])


def test_notes_change_what_is_answered_when_the_steps_are_gone(engine):
    """The same steps held, with and without a note about steps that are gone."""
    said = {}
    for keep in (True, False):
        notes = Notes()
        handle = camera(engine, notes)
        for i in range(3):
            show(engine, handle, segment(i))
        notes.wait(1)
        memory = handle.memory
        assert memory is not None
        if not keep:
            done = threading.Event()

            def forget(memory: KVMemory = memory, done: threading.Event = done) -> None:
                memory._drop_notes(list(memory.notes))
                memory._notes = []
                done.set()

            engine._submit(forget)
            assert done.wait(DEADLINE)
        for i in range(10, 12):
            show(engine, handle, segment(i))
        heard = Heard()
        engine.ask(handle, Ask("what do you see?", max_tokens=12), heard)
        heard.wait()
        said[keep] = heard.text
        settle(engine, [handle])
    assert said[True] != said[False]


def test_a_note_waits_while_an_answer_is_given_or_a_segment_comes_in(engine, model):
    notes = Notes()
    handle = camera(engine, notes)
    for i in range(2):
        show(engine, handle, segment(i))
    written: list[int] = []

    def spoke(heard: Heard) -> None:
        if heard.deltas == 1:
            engine.perceive(handle, segment(2), lambda result: None)
        written.append(model.forwards)

    heard = Heard(spoke)
    engine.ask(handle, Ask("what do you see?", max_tokens=40), heard)
    heard.wait()
    assert set(written) == {0}, "no forward of a note while somebody is answered"
    assert len(written) > 4, "or the segment came too late to matter"
    notes.wait(1)
    assert model.together == 0
    settle(engine, [handle])


def test_newer_segments_make_a_note_stale_and_the_next_is_about_them(engine, model):
    notes = Notes()
    handle = camera(engine, notes)
    results: list[Perceived | LookoutError] = []
    handed = 3

    def in_the_middle() -> None:
        nonlocal handed
        if model.forwards >= 2 and handed < 6 and len(results) == handed - 3:
            engine.perceive(handle, segment(handed), results.append)
            handed += 1

    model.before = in_the_middle
    for i in range(3):
        show(engine, handle, segment(i))
    (note,) = notes.wait(1)
    assert engine.counters["notes_stale"] == 1
    assert engine.counters["notes_written"] == 1
    assert all(isinstance(one, Perceived) for one in results)
    assert note.t_start == results[0].steps[0].time  # type: ignore[union-attr]
    settle(engine, [handle])


def test_a_note_is_stale_even_while_somebody_is_answered_and_holds_no_page_meanwhile(engine, model):
    notes = Notes()
    handle = camera(engine, notes)
    stale: list[int] = []
    asked: list[Heard] = []

    def spoke(heard: Heard) -> None:
        if heard.deltas in (1, 3, 5):
            engine.perceive(handle, segment(2 + (heard.deltas + 1) // 2), lambda result: None)
        stale.append(engine.counters.get("notes_stale", 0))

    def in_the_middle() -> None:
        if model.forwards == 2 and not asked:
            asked.append(Heard(spoke))
            engine.ask(handle, Ask("what do you see?", max_tokens=40), asked[0])

    model.before = in_the_middle
    for i in range(3):
        show(engine, handle, segment(i))
    until(lambda: asked)
    asked[0].wait()
    assert (stale[0], stale[-1]) == (0, 1)
    assert len(notes.wait(1)) == 1, "of the newer segments"
    settle(engine, [handle])


def test_a_model_that_says_nothing_writes_no_note(engine, model):
    notes = Notes()
    handle = camera(engine, notes)
    stop = next(iter(model.stop_ids))

    def nothing(logits: Tensor) -> Tensor:
        silent = logits.clone()
        silent[:, stop] = 1e9
        return silent

    model.bend = nothing
    for i in range(3):
        show(engine, handle, segment(i))
    until(lambda: engine.counters.get("notes_silent") == 1)
    assert handle.memory is not None
    assert handle.memory.notes == ()
    assert notes.told == []
    settle(engine, [handle])


def test_a_note_that_fails_ends_alone(engine, model):
    notes = Notes()
    handle = camera(engine, notes)

    def fails() -> None:
        raise RuntimeError("a note went wrong")

    model.before = fails
    for i in range(3):
        show(engine, handle, segment(i))
    until(lambda: engine.counters.get("notes_failed") == 1)
    model.before = lambda: None
    for i in range(3, 6):
        show(engine, handle, segment(i))
    assert len(notes.wait(1)) == 1
    settle(engine, [handle])


def test_a_camera_that_is_detached_in_the_middle_of_its_note_leaves_no_page(engine, model):
    for at in (1, 2, 4, 7):  # 7: while it is written into memory
        notes = Notes()
        handle = camera(engine, notes)
        model.forwards = 0

        def detach(handle: MemoryHandle = handle, at: int = at) -> None:
            if model.forwards == at:
                engine.close_memory(handle)

        model.before = detach
        for i in range(3):
            show(engine, handle, segment(i))
        until(lambda handle=handle: handle.closed)
        settle(engine, [handle])
        assert notes.told == [] or at == 7


def test_two_cameras_get_their_notes_in_turn(engine):
    heard = [Notes(), Notes()]
    handles = [camera(engine, notes) for notes in heard]
    for i in range(3):
        for handle in handles:
            show(engine, handle, segment(i))
    for notes in heard:
        assert len(notes.wait(1)) == 1
    settle(engine, handles)


def test_notes_move_with_the_fixed_beginning_computed_anew(engine, monkeypatch):
    monkeypatch.setattr(perception, "DRIFT", 100)
    notes = Notes()
    handle = camera(engine, notes)
    for i in range(3):
        show(engine, handle, segment(i))
    note = notes.wait(1)[0]
    memory = handle.memory
    assert memory is not None
    handle.unnoted.segments = -1000  # no other note comes between
    for i in range(3, 30):
        show(engine, handle, segment(i))
        assert memory.drift() <= 100 + 40
    (kept,) = memory.notes
    model = ours()
    tokens = memory.tokens
    sink, own = tokens.positions[tokens.sink, 0], tokens.positions[tokens.note, 0]
    assert sink.min() > 0, "it was moved"
    assert own.tolist() == list(range(sink.max() + 1, sink.max() + 1 + len(kept)))
    pool = PagePool(model.shape, 40, 16)
    scratch, prefix = Scratch(pool, 600), model.prefix(int(sink.min()))
    runner = Runner(model, pool, TorchReader())
    runner.forward([Row(prefix, None, scratch)])
    runner.forward([Row(model.lay_text(kept.ids, prefix.next_position), None, scratch)])
    wanted = pool.keys.flatten(1, 2)[:, scratch.view().slots[len(prefix) :]].transpose(1, 2)
    assert (note_keys(memory, note.t_end)[0] - wanted).abs().max() < 1e-4
    settle(engine, [handle])


def test_restored_notes_are_told_again(engine):
    notes, again = Notes(), Notes()
    handle = camera(engine, notes)
    for i in range(3):
        show(engine, handle, segment(i))
    written = notes.wait(1)
    states: list[MemoryState | LookoutError] = []
    engine.save(handle, states.append)
    until(lambda: states)
    assert isinstance(states[0], MemoryState)
    other = camera(engine, again, restored=states[0])
    assert again.wait(1) == written
    assert other.memory is not None
    assert other.memory.notes == states[0].notes
    settle(engine, [handle, other])


def test_an_engine_that_takes_no_notes_writes_none_and_sets_nothing_aside():
    limits = Limits(cameras=1, answers=1, capacity=200, prompt_tokens=100)
    with Engine(ours(), limits) as engine:
        notes = Notes()
        handle = camera(engine, notes)
        for i in range(6):
            show(engine, handle, segment(i))
        assert handle.memory is not None
        assert handle.memory.noting == 0
        assert "notes_written" not in engine.counters
        settle(engine, [handle])


def test_notes_without_room_are_refused_at_the_start():
    for limits in (Limits(noting=50), Limits(note_tokens=1000), Limits(noting=50, note_tokens=3)):
        with pytest.raises(ValueError, match="no room"):
            Engine(ours(), limits, noting=NOTING)
    for wrong in ({"every": 0}, {"max_tokens": 0}, {"question": " "}):
        with pytest.raises(ValueError, match="a note needs"):
            Noting(**wrong)


def test_whatever_happens_while_notes_are_written_there_is_room_for_all_of_it():
    """The pool was sized for the worst: nothing is refused, no page is lost, no note fails."""
    torch.set_num_threads(1)
    chance = random.Random(3)
    with Engine(Taking(), LIMITS, noting=NOTING) as engine:
        books = [Notes(), Notes()]
        handles = [camera(engine, notes) for notes in books]
        for number in range(40):
            handle = handles[number % 2]
            heard = [Heard() for _ in range(chance.randrange(3))]
            answers = [
                engine.ask(handle, Ask("what do you see?", max_tokens=10), one) for one in heard
            ]
            show(engine, handle, segment(number))
            if answers and chance.random() < 0.5:
                engine.cancel(answers[0])
            for one in heard:
                assert one.wait().finish_reason != "error"
            if chance.random() < 0.3:
                time.sleep(chance.random() * 0.05)
        books[0].wait(1), books[1].wait(1)
        for handle in handles:
            assert handle.memory is not None
            assert handle.memory.held <= LIMITS.capacity
        assert "notes_failed" not in engine.counters
        settle(engine, handles)
