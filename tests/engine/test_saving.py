"""Memories that leave the engine as plain values and come back, while it works."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import torch

from core.errors import CameraError, CapacityExceeded, EngineDead, LookoutError
from engine.engine import Engine
from engine.limits import Limits
from engine.recalling import Recalling
from engine.requests import Ask
from engine.scheduler import Scheduler
from memory.codecs.block import Block
from memory.policies.registry import POLICIES
from memory.policies.sink_window import SinkWindow
from memory.recall.gate import Always
from memory.saving.state import MemoryState
from models.identity import fingerprint
from pruning.none import Dense
from tests.engine.listeners import DEADLINE, Heard, Result, open_camera, settle, show
from tests.tiny import ours, segment

LIMITS = Limits(cameras=3, answers=2, waiting=2, capacity=90, prompt_tokens=200, answer_tokens=24,
                recall_budget=40)  # fmt: skip
EVERY = pytest.mark.parametrize("kind", POLICIES, ids=lambda kind: kind.__name__)


@pytest.fixture(scope="module")
def engine():
    with Engine(ours(), LIMITS, Scheduler(prefill_tokens=24, encode_tokens=24)) as running:
        yield running


class Kept:
    """A SaveListener with a wait."""

    def __init__(self) -> None:
        self.results: list[MemoryState | LookoutError] = []
        self._done = threading.Event()

    def __call__(self, result: MemoryState | LookoutError) -> None:
        self.results.append(result)
        self._done.set()

    def wait(self) -> MemoryState:
        assert self._done.wait(DEADLINE), "the memory was not saved"
        result = self.results[0]
        if isinstance(result, LookoutError):
            raise result
        return result


def keep(engine: Engine, handle) -> MemoryState:
    kept = Kept()
    engine.save(handle, kept)
    return kept.wait()


def restore(engine: Engine, state: MemoryState, policy=None, recalling=None):
    ready = Result()
    handle = engine.open_memory(
        Dense(), 8, policy or SinkWindow(), ready, recalling=recalling, restored=state
    )
    told = ready.wait()
    assert (told.held, told.seen, told.t_end) == (state.held, state.seen, state.newest)
    return handle


def said(engine: Engine, handle, text: str = "what do you see?") -> Heard:
    heard = Heard()
    engine.ask(handle, Ask(text, max_tokens=16), heard)
    heard.wait()
    assert heard.text
    return heard


@EVERY
def test_a_restored_camera_says_and_remembers_what_the_saved_one_does(engine, kind):
    first = open_camera(engine, memory=kind())
    for i in range(7):
        show(engine, first, segment(i))
    second = restore(engine, keep(engine, first), kind())
    assert said(engine, second).text == said(engine, first).text
    for i in range(7, 12):
        one, other = (show(engine, handle, segment(i)) for handle in (first, second))
        assert (one.held, one.seen, one.evicted) == (other.held, other.seen, other.evicted)
    assert said(engine, second).text == said(engine, first).text
    one, other = (keep(engine, handle) for handle in (first, second))
    assert torch.equal(one.rows, other.rows)
    assert torch.equal(one.keys, other.keys)
    assert torch.equal(one.values, other.values)
    settle(engine, [first, second])


def test_a_restored_archive_is_recalled_as_if_it_had_never_been_saved(engine):
    recalling = Recalling(Block(), Always(), 10**6, 40)
    ready = Result()
    first = engine.open_memory(Dense(), 8, SinkWindow(), ready, recalling=recalling)
    ready.wait()
    for i in range(14):
        show(engine, first, segment(i))
    state = keep(engine, first)
    assert state.archive is not None
    assert state.archive.runs
    second = restore(engine, state, recalling=recalling)
    one, other = (said(engine, handle, "what was there?") for handle in (first, second))
    assert one.begins[0].recalled
    assert one.begins[0].recalled == other.begins[0].recalled
    assert one.text == other.text
    settle(engine, [first, second])


def test_answers_under_way_are_not_disturbed_by_saving(engine):
    quiet, saved = (open_camera(engine) for _ in range(2))
    for i in range(6):
        for handle in (quiet, saved):
            show(engine, handle, segment(i))
    kept: list[Kept] = []

    def save(heard: Heard) -> None:
        kept.append(Kept())
        engine.save(saved, kept[-1])

    heard = Heard(save)
    engine.ask(saved, Ask("what do you see?", max_tokens=16), heard)
    heard.wait()
    alone = said(engine, quiet)
    assert heard.text == alone.text
    assert len(kept) > 3
    states = [each.wait() for each in kept]
    assert all(torch.equal(state.keys, states[0].keys) for state in states)
    settle(engine, [quiet, saved])


def test_a_memory_that_is_gone_cannot_be_saved(engine):
    handle = open_camera(engine)
    engine.close_memory(handle)
    with pytest.raises(CameraError, match="detached"):
        keep(engine, handle)
    settle(engine, [])


class Exhausting(torch.Tensor):
    """Does not fit on the device."""

    def to(self, *args, **kwargs):
        raise torch.OutOfMemoryError("the device is full")


def test_a_memory_that_finds_no_room_when_it_is_restored_is_refused_and_not_called_damaged():
    with Engine(ours(), LIMITS) as engine:
        handle = open_camera(engine)
        show(engine, handle, segment(0))
        state = keep(engine, handle)
        keys = state.keys.as_subclass(Exhausting)
        ready = Result()
        engine.open_memory(Dense(), 8, SinkWindow(), ready, restored=replace(state, keys=keys))
        with pytest.raises(CapacityExceeded, match="no memory is left to restore it"):
            ready.wait()
        assert len(ready.results) == 1
        assert show(engine, handle, segment(1)).frames == 2
        settle(engine, [handle, restore(engine, keep(engine, handle))])


def test_after_the_end_of_the_engine_nothing_is_saved():
    with Engine(ours(), LIMITS) as engine:
        handle = open_camera(engine)
    with pytest.raises(EngineDead):
        engine.save(handle, Kept())


def test_the_same_model_has_one_fingerprint_and_other_weights_have_another():
    assert fingerprint(ours()) == fingerprint(ours(0))
    assert fingerprint(ours()) != fingerprint(ours(1))
