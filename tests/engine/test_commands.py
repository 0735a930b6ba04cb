"""A command that fails ends what it belongs to; those handed in with it are carried out."""

from __future__ import annotations

import threading
from typing import ClassVar

import pytest
import torch

from core.errors import EngineDead, GenerationFailed, LookoutError
from engine.commands import Command
from engine.engine import Engine
from engine.limits import Limits
from engine.requests import Ask
from memory.policies.sink_window import SinkWindow
from memory.reach import Reach
from pruning.none import Dense
from tests.engine.listeners import DEADLINE, Heard, Result, open_camera, settle, show
from tests.tiny import ours, segment

LIMITS = Limits(cameras=3, answers=3, waiting=3, capacity=400, prompt_tokens=200, answer_tokens=64)


def held(engine: Engine) -> threading.Event:
    """Hold the engine's thread, so that what is submitted next comes in one batch."""
    going, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        going.set()
        assert go_on.wait(DEADLINE)

    engine._submit(wait)
    assert going.wait(DEADLINE)
    return go_on


def explode() -> None:
    raise RuntimeError("boom")


def test_a_command_that_raises_loses_nothing_that_was_handed_in_with_it():
    with Engine(ours(), LIMITS) as engine:
        handle = open_camera(engine)
        show(engine, handle, segment(0))
        told: list[LookoutError] = []
        go_on = held(engine)
        engine._submit(explode, told.append)
        heard, seen, ready = Heard(), Result(), Result()
        engine.ask(handle, Ask("what?", max_tokens=4), heard)
        engine._submit(explode)
        engine.perceive(handle, segment(1), seen)
        go_on.set()
        assert heard.wait().finish_reason in ("length", "stop")
        assert seen.wait().frames == 2
        assert [str(error) for error in told] == ["it failed: RuntimeError"]
        assert not ready.results
        assert engine.alive
        settle(engine, [handle])


class Refusing(Limits):
    """Limits that, from some time on, cannot say how far back a memory may reach."""

    now: ClassVar[bool] = False

    def reach(self, positions: int | None) -> Reach | None:
        if self.now:
            raise RuntimeError("boom")
        return super().reach(positions)


def test_a_memory_that_cannot_be_made_is_told_of_and_nobody_else_ends(monkeypatch):
    limits = Refusing(**{name: getattr(LIMITS, name) for name in Limits.__slots__})
    with Engine(ours(), limits) as engine:
        handle = open_camera(engine)
        monkeypatch.setattr(Refusing, "now", True)
        go_on = held(engine)
        ready, seen = Result(), Result()
        lost = engine.open_memory(Dense(), 8, SinkWindow(), ready)
        engine.perceive(handle, segment(0), seen)
        go_on.set()
        with pytest.raises(LookoutError, match="could not be made: it failed: RuntimeError"):
            ready.wait()
        assert seen.wait().frames == 2
        with pytest.raises(LookoutError, match="detached"):
            show(engine, lost, segment(0))
        settle(engine, [handle, lost])


def test_a_listener_that_raises_when_its_camera_is_closed_keeps_no_page():
    with Engine(ours(), LIMITS) as engine:
        handle, other = open_camera(engine), open_camera(engine)
        go_on = held(engine)

        def complain(result: object) -> None:
            raise RuntimeError("boom")

        engine.perceive(handle, segment(0), complain)
        engine.close_memory(handle)
        go_on.set()
        assert show(engine, other, segment(0)).frames == 2
        settle(engine, [handle, other])


def test_when_a_device_fails_in_a_command_those_behind_it_are_told():
    with Engine(ours(), LIMITS) as engine:
        handle = open_camera(engine)
        show(engine, handle, segment(0))
        go_on = held(engine)

        def gone() -> None:
            raise torch.AcceleratorError("the device is gone")

        told: list[LookoutError] = []
        engine._submit(gone, told.append)
        heard, seen = Heard(), Result()
        engine.ask(handle, Ask("what?", max_tokens=4), heard)
        engine.perceive(handle, segment(1), seen)
        go_on.set()
        assert isinstance(heard.wait().error, EngineDead)
        with pytest.raises(EngineDead):
            seen.wait()
        assert [type(error) for error in told] == [EngineDead]
        assert engine.pool.free == engine.pool.pages


def test_a_listener_that_fails_when_it_is_told_harms_nobody():
    told: list[LookoutError] = []

    def worse(error: LookoutError) -> None:
        told.append(error)
        raise RuntimeError("and again")

    Command(explode, worse).perform()
    Command(explode, worse).perform_last(EngineDead("closed"))
    assert [type(error) for error in told] == [GenerationFailed, EngineDead]
