"""What fails ends alone; only a device that failed ends all."""

from __future__ import annotations

import logging
import weakref
from collections import Counter

import pytest
import torch

from core.errors import Busy, EngineDead, FrameError, GenerationFailed
from engine.engine import Engine
from engine.failing import Failures
from tests.engine.conftest import LIMITS
from tests.engine.hooked import Hooked, holds
from tests.engine.listeners import ask, open_camera, settle, show
from tests.tiny import ours, segment


def poison(chunks) -> None:
    if holds(ours(), chunks, "~"):
        raise RuntimeError("a kernel failed")


def test_a_row_that_fails_ends_alone_and_its_neighbours_answers_are_untouched():
    with Engine(Hooked(ours(), poison), LIMITS) as engine:
        handle = open_camera(engine)
        show(engine, handle, segment(0))
        alone = ask(engine, handle, tokens=20)
        alone.wait()
        together = [ask(engine, handle, tokens=20), ask(engine, handle, "~why?", tokens=20)]
        watched = show(engine, handle, segment(1))
        ended = [heard.wait() for heard in together]
        assert [one.finish_reason for one in ended] == [alone.ends[0].finish_reason, "error"]
        assert isinstance(ended[1].error, GenerationFailed)
        assert together[0].text == alone.text
        assert watched.frames == 2
        settle(engine, [handle])


def test_rows_that_are_run_one_by_one_are_counted_like_all_others():
    def crowded(chunks) -> None:
        if len(chunks) > 1:
            raise RuntimeError("a kernel failed")

    def counted(engine: Engine) -> tuple[int, int]:
        return engine.counters["decode_tokens"], engine.counters["prefill_tokens"]

    with Engine(Hooked(ours(), crowded), LIMITS) as engine:
        handle = open_camera(engine)
        show(engine, handle, segment(0))
        ask(engine, handle, tokens=20).wait()
        before = counted(engine)
        ask(engine, handle, tokens=20).wait()
        once = counted(engine)
        together = [ask(engine, handle, tokens=20) for _ in range(2)]
        assert all(one.wait().finish_reason != "error" for one in together)
        assert engine.counters["failures"] > 1, "they met"
        twice = counted(engine)
        assert [b - a for a, b in zip(once, twice, strict=True)] == [
            2 * (b - a) for a, b in zip(before, once, strict=True)
        ]


def test_a_device_that_failed_ends_the_engine_and_tells_everybody():
    def fail(chunks) -> None:
        if holds(ours(), chunks, "~"):
            raise torch.AcceleratorError("the device is gone")

    with Engine(Hooked(ours(), fail), LIMITS) as engine:
        handle = open_camera(engine)
        show(engine, handle, segment(0))
        ended = ask(engine, handle, "~").wait()
        assert ended.finish_reason == "error"
        assert isinstance(ended.error, EngineDead)
        with pytest.raises(EngineDead, match="AcceleratorError"):
            ask(engine, handle)
        assert not engine.alive


def test_what_failed_holds_nothing_any_more_when_the_cache_is_emptied(caplog):
    caplog.set_level(logging.CRITICAL, "lookout.engine")  # pytest would keep what is logged
    alive: list[weakref.ref[torch.Tensor]] = []
    at_relief: list[bool] = []
    counters: Counter[str] = Counter()
    failures = Failures(counters, lambda: at_relief.append(alive[-1]() is not None))

    def greedy(error: type[BaseException]) -> None:
        made = torch.zeros(1000)
        alive.append(weakref.ref(made))
        raise error("no memory is left")

    assert isinstance(failures.attempt("it failed", greedy, torch.OutOfMemoryError), Busy)
    assert at_relief == [False]
    assert isinstance(failures.attempt("it failed", greedy, KeyError), GenerationFailed)
    assert isinstance(failures.attempt("it failed", greedy, FrameError), FrameError)
    assert len(at_relief) == 1, "there was memory"
    assert counters == {"failures": 2, "out_of_memory": 1}
    with pytest.raises(torch.AcceleratorError):
        failures.attempt("it failed", greedy, torch.AcceleratorError)
    assert failures.attempt("it failed", len, "abc") == 3
