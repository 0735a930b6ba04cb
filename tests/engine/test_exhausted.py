"""A device without memory ends what asked for it, and changes nothing that anybody else says."""

from __future__ import annotations

import logging
import random
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count

import pytest
import torch

from core.errors import Busy, CapacityExceeded, FrameError, MemoryLost
from engine.engine import Engine
from engine.failing import out_of_memory
from engine.jobs import MemoryHandle
from engine.limits import Limits
from engine.requests import Ask
from engine.scheduler import Scheduler
from engine.selecting import Selecting
from memory.policies.policy import MemoryPolicy
from memory.policies.sink_window import SinkWindow
from pruning.selectors.even import Even
from pruning.vcast import VCast
from tests.engine.exhausted import Calls, Forwards, Reads, Retains, Torn
from tests.engine.listeners import Heard, Result, ask, open_camera, settle, show
from tests.engine.test_fairness import Listening
from tests.memory.failing import Exhausted
from tests.tiny import ours, segment

SINK = len(ours().prefix())
SEGMENT = 12 + ours().marker_tokens
LIMITS = Limits(
    cameras=2, answers=2, waiting=2, capacity=SINK + 2 * SEGMENT + 8, prompt_tokens=60,
    answer_tokens=16,
)  # fmt: skip
WORDS = 4
SAMPLES = 20


@dataclass
class Watched:
    """One camera, and which segments really entered its memory."""

    handle: MemoryHandle
    first: int  # number of its first segment
    seen: list[int] = field(default_factory=list)

    def show(self, engine: Engine, number: int) -> tuple[int, Result]:
        result = Result()
        engine.perceive(self.handle, segment(self.first + number), result)
        return number, result

    def note(self, number: int, result: Result) -> None:
        try:
            result.wait()
        except FrameError:
            return
        self.seen.append(self.first + number)


def running(model=None, reader=None) -> Engine:
    scheduler = Scheduler(prefill_tokens=48, encode_tokens=48)
    return Engine(model or ours(), LIMITS, scheduler, reader)


@cache
def undisturbed(seen: tuple[int, ...]) -> str:
    """What is said of a camera that saw these segments and nothing else."""
    with running() as engine:
        handle = open_camera(engine)
        for number in seen:
            show(engine, handle, segment(number))
        heard = ask(engine, handle, tokens=WORDS)
        heard.wait()
        settle(engine, [handle])
    return heard.text


def open_anyway(engine: Engine, policy: MemoryPolicy) -> MemoryHandle:
    """A camera, as soon as there is room for it."""
    for _ in range(10):
        with suppress(CapacityExceeded):
            return open_camera(engine, memory=policy)
    raise AssertionError("there never was")


def right_or_refused(heard: Heard, seen: list[int]) -> bool:
    """Whether an answer was given, which then is that of a camera nothing happened to."""
    ended = heard.wait()
    if ended.error is not None:
        assert isinstance(ended.error, Busy), "whoever asks may ask again"
        return False
    assert heard.text == undisturbed(tuple(seen))
    return True


def play(engine: Engine, policy: MemoryPolicy) -> int:
    """Two cameras, two answers while both go on, and two more; how many were not to be had."""
    cameras = [Watched(open_anyway(engine, policy), 100 * n) for n in range(2)]
    for number in range(4):
        shown = [(camera, *camera.show(engine, number)) for camera in cameras]
        for camera, *rest in shown:
            camera.note(*rest)
    before = [list(camera.seen) for camera in cameras]
    answers = [ask(engine, camera.handle, tokens=WORDS) for camera in cameras]
    shown = [(camera, *camera.show(engine, 9)) for camera in cameras]
    given = sum(map(right_or_refused, answers, before))
    for camera, *rest in shown:
        camera.note(*rest)
    for camera in cameras:  # whatever happened is over
        tries = (ask(engine, camera.handle, tokens=WORDS) for _ in range(10))
        assert any(right_or_refused(again, camera.seen) for again in tries)
    assert engine.alive
    settle(engine, [camera.handle for camera in cameras])
    return 2 * (5 + 1) - sum(len(camera.seen) for camera in cameras) - given


SEAMS = ["forward", "encode", "read", "retain"]


@pytest.mark.parametrize("seam", SEAMS)
def test_wherever_memory_runs_out_once_the_rest_is_as_if_nothing_had_happened(seam):
    calls = {name: Calls() for name in SEAMS}
    model = Forwards(calls["forward"], calls["encode"])
    policy, chosen = Retains(calls=calls["retain"]), calls[seam]
    with running(model, Reads(calls["read"])) as engine:
        # A forward reads once in each of four layers: by threes, each of them has its turn.
        failures = 0
        for n in count(0, 3 if seam == "read" else 1):
            chosen.fail(n)
            lost = play(engine, policy)
            if not chosen.failed:
                break
            # Alone, a row or a picture finds room; what is one job's own ends that job.
            assert lost <= 1
            failures += 1
        assert failures >= 4
        assert engine.counters["out_of_memory"] == failures


@pytest.mark.parametrize("seam", SEAMS)
@pytest.mark.parametrize("times", [2, 3, 7])
def test_wherever_memory_runs_out_for_a_while_only_what_asked_for_it_is_lost(seam, times):
    calls = {name: Calls() for name in SEAMS}
    model = Forwards(calls["forward"], calls["encode"])
    policy, chosen = Retains(calls=calls["retain"]), calls[seam]
    lost = 0
    with running(model, Reads(calls["read"])) as engine:
        for n in range(3, 60, 7):  # both cameras are open
            chosen.fail(n, times)
            lost += play(engine, policy)
        assert lost > 0, "or nothing was hit"


def test_whatever_call_of_torch_on_the_engines_thread_finds_no_memory_the_law_holds():
    calls, rng = Exhausted(-1), random.Random(3)
    with running() as engine:
        engine._submit(calls.__enter__)
        play(engine, SinkWindow())
        total, counted = calls.calls, 0
        for _ in range(SAMPLES):
            calls.fail(rng.randrange(total))
            play(engine, SinkWindow())
            counted += calls.failed
        engine._submit(lambda: calls.__exit__(None, None, None))
        settle(engine, [])
        assert counted > SAMPLES / 2
        assert engine.counters["out_of_memory"] == counted


def test_hundreds_of_failures_are_counted_told_now_and_then_and_take_no_steps(caplog):
    calls = Calls()
    with running(Forwards(Calls(), calls)) as engine, caplog.at_level(logging.ERROR):
        handle = open_camera(engine)
        show(engine, handle, segment(0))
        calls.fail(0, 10_000)
        before = dict(engine.counters)
        for number in range(200):
            with pytest.raises(FrameError, match="lost: the device has no memory left"):
                show(engine, handle, segment(1 + number))
        after = engine.counters
        assert after["out_of_memory"] - before.get("out_of_memory", 0) == 2 * 200  # once more alone
        assert after["steps"] - before["steps"] <= 2 * 200
        assert len(caplog.records) < 20
        calls.fail(-1)
        assert show(engine, handle, segment(300)).frames == 2
        assert ask(engine, handle, tokens=WORDS).wait().error is None
        settle(engine, [handle])


def test_a_step_in_which_something_failed_says_nothing_of_what_steps_cost():
    calls, scheduler = Calls(), Listening()
    with Engine(Forwards(Calls(), calls), LIMITS, scheduler) as engine:
        handle = open_camera(engine)
        show(engine, handle, segment(0))
        before = sum(load.encoded for load, _ in scheduler.loads)
        assert before > 0
        calls.fail(0, 2)
        with pytest.raises(FrameError):
            show(engine, handle, segment(1))
        calls.fail(-1)
        encoded = show(engine, handle, segment(2)).encoded
        settle(engine, [handle])
        assert sum(load.encoded for load, _ in scheduler.loads) == before + encoded


def test_a_segment_that_finds_no_memory_when_it_is_pruned_takes_none_of_what_waited(monkeypatch):
    with running() as engine:
        handle = open_camera(engine, VCast(lookahead=1), budget=4)
        assert show(engine, handle, segment(0)).frames == 0
        lay_out, calls = ours().lay_steps, Calls()
        calls.fail(0)

        def failing(*given):
            calls.one()
            return lay_out(*given)

        monkeypatch.setattr(ours(), "lay_steps", failing)
        with pytest.raises(FrameError):
            show(engine, handle, segment(1))
        result = show(engine, handle, segment(2))
        assert result.frames == 2 and result.steps[0].time < 0.5, "the first one, which waited"
        assert show(engine, handle, None).frames == 2
        settle(engine, [handle])


def test_a_memory_that_cannot_be_put_right_is_given_up_and_the_camera_begins_anew():
    with running() as engine:
        policy = Torn()
        handle, other = open_camera(engine, memory=policy), open_camera(engine)
        show(engine, handle, segment(0))
        show(engine, other, segment(100))
        memory = handle.memory
        assert memory is not None
        vars(policy)["hit"] = lambda: setattr(memory._store, "broken", True)
        with pytest.raises(FrameError, match="damaged; it begins anew"):
            show(engine, handle, segment(1))
        assert engine.counters["memories_lost"] == 1
        show(engine, handle, segment(2))
        assert str(handle.why) == "the camera was detached", "what it says when it is"
        for camera, seen in ((handle, (2,)), (other, (100,))):
            heard = ask(engine, camera, tokens=WORDS)
            heard.wait()
            assert heard.text == undisturbed(seen)
        settle(engine, [handle, other])


@pytest.mark.parametrize("together", [True, False])
def test_an_answer_says_nothing_more_when_its_memory_is_lost_in_the_same_step(together):
    calls = Calls()
    with running(Forwards(calls, Calls())) as engine:
        policy = Torn()
        handle = open_camera(engine, memory=policy)
        show(engine, handle, segment(0))
        memory, result = handle.memory, Result()
        assert memory is not None

        def spoke(heard: Heard) -> None:
            if heard.deltas == 1:
                vars(policy)["hit"] = lambda: setattr(memory._store, "broken", True)
                engine.perceive(handle, segment(1), result)
            elif not together and heard.deltas == 2:
                calls.fail(0)

        heard = Heard(spoke)
        engine.ask(handle, Ask("what do you see?", max_tokens=16), heard)
        assert "damaged" in str(heard.wait().error)
        with pytest.raises(FrameError, match="damaged"):
            result.wait()
        show(engine, handle, segment(2))
        assert len(heard.ends) == 1
        assert engine.counters["failures"] == (1 if together else 2), "nothing was said after it"
        settle(engine, [handle])


def test_a_camera_that_begins_anew_lets_its_answers_choose_as_before():
    limits = replace(LIMITS, selector_budget=24, bank_steps=4)
    with Engine(ours(), limits) as engine:
        policy = Torn()
        handle = open_camera(engine, selecting=Selecting(Even(), 24, 4), memory=policy)
        show(engine, handle, segment(0))
        memory = handle.memory
        assert memory is not None
        vars(policy)["hit"] = lambda: setattr(memory._store, "broken", True)
        with pytest.raises(FrameError, match="begins anew"):
            show(engine, handle, segment(1))
        show(engine, handle, segment(2))
        heard = ask(engine, handle, tokens=WORDS)
        assert heard.wait().error is None
        assert heard.begins[0].t_start == heard.begins[0].t_end == segment(2).frames[0].pts + 0.125
        settle(engine, [handle])


def test_a_camera_that_cannot_begin_anew_says_so_from_then_on():
    calls = Calls()
    with running(Forwards(calls, Calls())) as engine:
        policy = Torn()
        handle, other = open_camera(engine, memory=policy), open_camera(engine)
        show(engine, handle, segment(0))
        memory = handle.memory
        assert memory is not None

        def hit() -> None:
            memory._store.broken = True
            calls.fail(0, 2)  # its new beginning finds no room either, together or alone

        vars(policy)["hit"] = hit
        with pytest.raises(FrameError, match="damaged"):
            show(engine, handle, segment(1))
        for _ in range(2):
            with pytest.raises(MemoryLost, match="no memory left"):
                show(engine, handle, segment(2))
        assert "no memory left" in str(ask(engine, handle).wait().error)
        assert show(engine, other, segment(100)).frames == 2
        settle(engine, [handle, other])


def test_no_memory_is_told_from_other_failures_on_a_host_too():
    with pytest.raises(RuntimeError) as refused:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert out_of_memory(refused.value)
    assert out_of_memory(MemoryError())
    assert not out_of_memory(RuntimeError("shapes do not match"))
    assert not out_of_memory(ValueError("can't allocate memory"))
