"""Answers that read an archive besides the hot memory, on the engine."""

from __future__ import annotations

import random
import threading
import time

import pytest
import torch

from engine.engine import Engine
from engine.jobs import MemoryHandle
from engine.limits import Limits
from engine.recalling import Recalling, seek
from engine.requests import Ask
from engine.scheduler import Scheduler
from engine.selecting import Selecting
from memory.codecs.block import Block
from memory.codecs.codec import Codec
from memory.codecs.plain import Plain
from memory.memory import KVMemory
from memory.policies.policy import MemoryPolicy
from memory.policies.registry import POLICIES
from memory.policies.sink_window import RecentSteps, SinkWindow
from memory.recall.gate import Always, Gate, PastTense
from pruning.none import Dense
from pruning.selectors.even import Even
from tests.engine.listeners import Heard, Result, settle, show
from tests.models.harness import Stream
from tests.tiny import ours, segment

CAPACITY, BUDGET = 90, 60
LIMITS = Limits(cameras=2, answers=2, waiting=2, capacity=CAPACITY, prompt_tokens=120,
                answer_tokens=40, recall_budget=BUDGET)  # fmt: skip
QUESTION = "what do you see?"


@pytest.fixture
def engine():
    torch.set_num_threads(1)
    with Engine(ours(), LIMITS, Scheduler(prefill_tokens=24, encode_tokens=24)) as running:
        yield running


def camera(
    engine: Engine,
    recalling: Recalling | None,
    policy: MemoryPolicy | None = None,
) -> MemoryHandle:
    ready = Result()
    handle = engine.open_memory(Dense(), 8, policy or SinkWindow(), ready, recalling=recalling)
    ready.wait()
    return handle


def recalling(
    codec: Codec | None = None,
    gate: Gate | None = None,
    archive_bytes: int = 10**7,
    budget: int = BUDGET,
) -> Recalling:
    return Recalling(codec or Plain(), gate or Always(), archive_bytes, budget)


def watched(engine: Engine, handle: MemoryHandle, count: int) -> KVMemory:
    for i in range(count):
        show(engine, handle, segment(i))
    assert handle.memory is not None
    return handle.memory


def asked(engine: Engine, handle: MemoryHandle, text: str = QUESTION, tokens: int = 12) -> Heard:
    heard = Heard()
    engine.ask(handle, Ask(text, max_tokens=tokens), heard)
    heard.wait()
    return heard


def test_an_answer_reads_archived_steps_and_says_which_and_how_many_tokens(engine):
    handle = camera(engine, recalling())
    memory = watched(engine, handle, 12)
    assert memory.archive is not None
    archived = memory.archive.steps
    assert memory.held <= CAPACITY
    begun = asked(engine, handle).begins[0]
    assert list(begun.recalled) == sorted(begun.recalled)
    read = [one for one in archived if _within(one.time, begun.recalled)]
    assert 0 < len(read) < len(archived), "some of the archived ones, not all"
    assert sum(map(len, read)) <= BUDGET
    assert begun.memory_tokens == memory.held + sum(map(len, read))
    assert {time for stretch in begun.recalled for time in stretch} <= {x.time for x in read}
    assert begun.t_start is not None
    assert max(one.time for one in archived) < begun.t_start, "what is archived is not held"
    settle(engine, [handle])


def test_a_standing_question_waits_for_what_comes_and_reads_no_archive(engine):
    handle = camera(engine, recalling())
    watched(engine, handle, 12)
    heard = Heard()
    engine.ask(handle, Ask(QUESTION, max_tokens=8, standing=True), heard)
    heard.wait()
    assert heard.begins[0].recalled == ()
    settle(engine, [handle])


def test_it_says_what_the_model_run_by_hand_says(engine):
    handle = camera(engine, recalling())
    memory = watched(engine, handle, 12)
    assert memory.archive is not None
    heard = asked(engine, handle)
    stream = Stream(ours(), CAPACITY, archive=recalling().archive(ours()))
    stream.watch([segment(i) for i in range(12)])
    ids, _ = stream.ask(QUESTION, tokens=12, budget=BUDGET)
    stop = next((i for i, token in enumerate(ids) if token in ours().stop_ids), None)
    assert heard.text == ours().detokenize(ids[:stop])
    forgetful, _ = stream.ask(QUESTION, tokens=12)
    assert forgetful != ids, "recalling must matter here"
    settle(engine, [handle])


def test_a_gate_that_stays_shut_leaves_the_answer_of_a_camera_without_archive(engine):
    gated, plain = camera(engine, recalling(gate=PastTense())), camera(engine, None)
    for handle in (gated, plain):
        memory = watched(engine, handle, 12)
    now, without = asked(engine, gated), asked(engine, plain)
    assert now.begins[0].recalled == ()
    assert now.begins[0].memory_tokens == memory.held
    assert now.text == without.text
    assert asked(engine, gated, "what was there before?").begins[0].recalled != ()
    assert asked(engine, plain, "what was there before?").begins[0].recalled == ()
    settle(engine, [gated, plain])


def test_with_nothing_archived_yet_there_is_nothing_to_recall(engine):
    handle = camera(engine, recalling())
    assert asked(engine, handle).begins[0].recalled == (), "only the fixed beginning is there"
    watched(engine, handle, 1)
    assert asked(engine, handle).begins[0].recalled == ()
    settle(engine, [handle])


def test_an_answer_is_that_of_a_paused_camera_while_the_archive_changes_under_it(engine):
    """Steps that it reads are forgotten meanwhile: the archive holds a few only."""
    step = 40 * ours().shape.bytes_per_token
    paused, live = (camera(engine, recalling(archive_bytes=5 * step)) for _ in range(2))
    for handle in (paused, live):
        watched(engine, handle, 10)
    quiet = asked(engine, paused, tokens=30)
    started, box = threading.Event(), []
    heard = Heard(lambda h: started.set())
    box.append(engine.ask(live, Ask(QUESTION, max_tokens=30), heard))
    assert started.wait(60)
    number = 0
    while not heard.ends:
        show(engine, live, segment(50 + number))
        number += 1
    assert heard.begins[0].recalled == quiet.begins[0].recalled != ()
    assert heard.text == quiet.text
    assert number >= 2, "nothing was seen while it was said"
    settle(engine, [paused, live])


def test_cancelling_at_random_points_leaks_no_page(engine):
    handle = camera(engine, recalling())
    watched(engine, handle, 10)
    randomness, reasons = random.Random(3), set()
    for number in range(40):
        heard = Heard()
        answer = engine.ask(handle, Ask(QUESTION, max_tokens=30), heard)
        if number % 5 == 0:
            engine.perceive(handle, segment(number + 20), Result())
        time.sleep(randomness.random() * 0.03)
        engine.cancel(answer)
        reasons.add(heard.wait().finish_reason)
        assert len(heard.ends) == 1
    assert "cancelled" in reasons
    settle(engine, [handle])


def test_a_camera_that_is_detached_takes_its_recalling_answers_with_it(engine):
    handle = camera(engine, recalling())
    watched(engine, handle, 10)
    started = threading.Event()
    heard = Heard(lambda _: started.set())
    engine.ask(handle, Ask(QUESTION, max_tokens=40), heard)
    assert started.wait(60)
    settle(engine, [handle])
    assert len(heard.ends) == 1


def test_as_many_answers_as_are_promised_find_room_to_recall_at_once(engine):
    """At their worst: every place taken, full memories, whole budgets, longest answers."""
    handles = [camera(engine, recalling()) for _ in range(LIMITS.cameras)]
    for handle in handles:
        watched(engine, handle, 10)
    heard = []
    for handle in handles:
        heard.append(Heard())
        engine.ask(handle, Ask("why? " * 20, max_tokens=40), heard[-1])
    for i in range(10, 14):
        for handle in handles:
            show(engine, handle, segment(i))
    assert {one.wait().finish_reason for one in heard} <= {"stop", "length"}
    settle(engine, handles)


def test_a_long_stream_keeps_every_byte_within_its_bound_and_still_recalls(engine):
    limit = 100 * ours().shape.bytes_per_token
    handle = camera(engine, recalling(Block(), archive_bytes=limit))
    memory = watched(engine, handle, 20)
    archive = memory.archive
    assert archive is not None
    free, most = engine.pool.unpromised, 0
    for i in range(20, 300):
        told = show(engine, handle, segment(i))
        assert told.held <= CAPACITY
        assert archive.bytes <= limit
        assert engine.pool.unpromised == free, "what a camera may use was set aside at the start"
        most = max(most, len(archive.steps))
    assert archive.forgotten > 100
    assert len(archive.steps) + archive.forgotten < 300
    assert most < 60
    begun = asked(engine, handle, tokens=4).begins[0]
    assert begun.recalled != ()
    seen = [0.5 * i + 0.125 for i in range(300)]
    held = {one.time for one in archive.steps}
    assert {time for time in seen if _within(time, begun.recalled)} <= held, (
        "no stretch spans what is lost"
    )
    settle(engine, [handle])


@pytest.mark.parametrize("bits", [2, 4])
def test_with_the_block_codec_the_answer_still_comes_and_nearly_the_same_steps_are_read(
    engine, bits
):
    exact, packed = camera(engine, recalling()), camera(engine, recalling(Block(bits)))
    for handle in (exact, packed):
        watched(engine, handle, 16)
    one, other = (asked(engine, handle) for handle in (exact, packed))
    assert other.ends[0].finish_reason in ("stop", "length")
    assert other.begins[0].recalled == one.begins[0].recalled, "landmarks are not packed"
    assert other.begins[0].memory_tokens == one.begins[0].memory_tokens
    settle(engine, [exact, packed])


def test_a_day_into_the_stream_it_recalls_what_it_saw_in_the_first_minute(engine):
    """Far beyond the room between the beginning and the window: steps are moved, none is lost."""
    handle = camera(engine, recalling(), RecentSteps(2))
    memory = watched(engine, handle, 6)
    memory.next_position += 3_000_000  # the engine's thread has nothing to do now
    for i in range(6, 10):
        show(engine, handle, segment(i))
    begun = asked(engine, handle).begins[0]
    assert begun.recalled != ()
    assert begun.t_start is not None
    assert begun.recalled[-1][1] < begun.t_start
    settle(engine, [handle])


PARTS = [kind for kind in POLICIES if not kind.whole_steps]


@pytest.mark.parametrize("kind", PARTS, ids=lambda kind: kind.__name__)
def test_a_policy_that_gives_up_single_tokens_is_refused_an_archive(engine, kind):
    with pytest.raises(ValueError, match="single tokens"):
        engine.open_memory(Dense(), 8, kind(), Result(), recalling=recalling())


def test_what_the_limits_have_no_room_for_is_refused(engine):
    with pytest.raises(ValueError, match=f"{BUDGET + 1} tokens"):
        engine.open_memory(
            Dense(), 8, SinkWindow(), Result(), recalling=recalling(budget=BUDGET + 1)
        )
    with pytest.raises(ValueError, match="no archive of 0 bytes"):
        recalling(archive_bytes=0)
    with pytest.raises(ValueError, match="0 tokens"):
        recalling(budget=0)
    settle(engine, [])


def test_choosing_from_a_bank_and_recalling_are_refused_together():
    limits = Limits(cameras=1, answers=1, capacity=CAPACITY, selector_budget=20, bank_steps=4,
                    recall_budget=BUDGET)  # fmt: skip
    selecting = Selecting(Even(), budget=20, bank_steps=4)
    with Engine(ours(), limits) as engine, pytest.raises(ValueError, match="no archive either"):
        engine.open_memory(Dense(), 8, SinkWindow(), Result(), selecting, recalling())


def test_stretches_cover_what_was_read_and_nothing_that_was_forgotten():
    archive = recalling(archive_bytes=640 * ours().shape.bytes_per_token).archive(ours())
    stream = Stream(ours(), CAPACITY, archive=archive)
    stream.watch([segment(i) for i in range(80)])
    assert archive.forgotten > 10
    snapshot = stream.memory.snapshot()
    found = seek(stream.runner, snapshot, archive, QUESTION, 10**6).recalled(
        archive, stream.pool.device
    )
    snapshot.release()
    held = {one.time for one in archive.steps}
    assert {one.time for one in found.steps} == held, "all of it is read"
    covered = {t for t in (0.5 * i + 0.125 for i in range(80)) if _within(t, found.stretches)}
    assert covered == held
    assert 1 < len(found.stretches) < len(held), "some of them follow one another"


def _within(time: float, stretches: tuple[tuple[float, float], ...]) -> bool:
    return any(start <= time <= end for start, end in stretches)
