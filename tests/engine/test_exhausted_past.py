"""Notes and archives on a device that is out of memory now and then: fewer, and none wrong."""

from __future__ import annotations

import random

import pytest
import torch

from core.errors import Busy, CapacityExceeded, FrameError
from engine.engine import Engine
from engine.jobs import MemoryHandle
from engine.limits import Limits
from engine.noting import Noting
from engine.recalling import Recalling
from engine.scheduler import Scheduler
from memory.codecs.block import Block
from memory.policies.sink_window import SinkWindow
from memory.recall.gate import Always
from pruning.none import Dense
from tests.engine.listeners import Heard, Result, ask, settle, show
from tests.engine.taking import until
from tests.memory.failing import Exhausted
from tests.tiny import ours, segment

NOTING = Noting("Note what changes.", every=3, max_tokens=6)
SINK, ROOM = len(ours().prefix()), 90
LIMITS = Limits(
    cameras=1, answers=1, waiting=2, capacity=SINK + 60 + ROOM, prompt_tokens=100,
    answer_tokens=16, noting=ROOM, note_tokens=NOTING.tokens(ours()), recall_budget=60,
)  # fmt: skip
RECALLING = Recalling(Block(), Always(), 10**6, 60)
SAMPLES = 15


def opened(engine: Engine) -> MemoryHandle:
    for _ in range(3):
        ready = Result()
        handle = engine.open_memory(Dense(), 8, SinkWindow(), ready, recalling=RECALLING)
        try:
            ready.wait()
        except CapacityExceeded:
            continue
        return handle
    raise AssertionError("there is room, but for one call")


def play(engine: Engine) -> Heard:
    """Steps go to the archive, notes are taken between them, questions read both."""
    handle, entered = opened(engine), 0
    for number in range(12):
        try:
            entered += show(engine, handle, segment(number)).frames // 2
        except FrameError:
            continue
        if number % 4 == 3:
            ended = ask(engine, handle, tokens=3).wait()
            assert ended.error is None or isinstance(ended.error, Busy)
            until(lambda: not engine._steps.busy)  # the note about these is written, or lost
    assert entered >= 11
    last = ask(engine, handle, tokens=3)
    if last.wait().error is not None:
        last = ask(engine, handle, tokens=3)
    assert last.wait().error is None
    assert last.begins[0].recalled
    sound(engine, handle, entered)
    settle(engine, [handle])
    return last


def sound(engine: Engine, handle: MemoryHandle, entered: int) -> None:
    """Each step is in one place, whole, and under a position that no other has."""
    memory = handle.memory
    assert memory is not None
    assert memory.archive is not None
    tokens, archive = memory.tokens, memory.archive
    held = {float(time) for time in tokens.time[tokens.step]}
    frozen = [one.time for one in archive.steps]
    assert not held & set(frozen)
    assert len(held) + len(frozen) + archive.forgotten == entered
    opening = archive.open(archive.steps)
    assert all(each is not None for each in opening.steps(torch.device("cpu")))
    text = tokens.positions[~tokens.visual]
    assert len({tuple(at) for at in text.tolist()}) == len(text)


@pytest.mark.parametrize("seed", [0])
def test_whatever_call_of_torch_finds_no_memory_the_past_is_in_one_place_and_whole(seed):
    calls, rng = Exhausted(-1), random.Random(seed)
    scheduler = Scheduler(prefill_tokens=48, encode_tokens=48)
    with Engine(ours(), LIMITS, scheduler, noting=NOTING) as engine:
        engine._submit(calls.__enter__)
        play(engine)
        total = calls.calls
        assert engine.counters["notes_written"] > 1
        for _ in range(SAMPLES):
            calls.fail(rng.randrange(total))
            play(engine)
        assert engine.alive
        engine._submit(lambda: calls.__exit__(None, None, None))
        settle(engine, [])
