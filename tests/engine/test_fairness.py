"""The engine's steps as they are planned and run, on a tiny random model; nothing here is timed."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from core.frames import Segment
from engine.engine import Engine
from engine.limits import Limits
from engine.pace import Load, StepPace
from engine.requests import Ask
from engine.scheduler import Scheduler, StepPlan, Waiting
from tests.engine.hooked import Hooked
from tests.engine.listeners import DEADLINE, Heard, Result, open_camera, settle, show
from tests.tiny import ours, segment

CAMERAS = 5
LIMITS = Limits(
    cameras=CAMERAS, answers=4, waiting=4, capacity=500, prompt_tokens=200, answer_tokens=208
)


class Listening(Scheduler):
    """The scheduler, and what it was asked and decided, step by step."""

    def __init__(self, pace: StepPace | None = None, tokens: int = 24) -> None:
        super().__init__(prefill_tokens=tokens, encode_tokens=tokens, pace=pace)
        self.steps: list[tuple[Sequence[int], Sequence[Waiting], StepPlan]] = []
        self.loads: list[tuple[Load, float]] = []

    def plan(
        self, decoding: Sequence[int], prefills: Sequence[Waiting], encodes: Sequence[Waiting]
    ) -> StepPlan:
        plan = super().plan(decoding, prefills, encodes)
        self.steps.append((tuple(decoding), tuple(prefills), plan))
        return plan

    def note(self, load: Load, ms: float) -> None:
        self.loads.append((load, ms))
        super().note(load, ms)


class Watcher:
    """Shows a camera segment after segment, the next as soon as one is in memory."""

    def __init__(self, engine: Engine, handle, first: int, steps: int = 2) -> None:
        self.seen: list[Segment] = []
        self.entered = 0
        self._engine, self._handle = engine, handle
        self._next, self._steps = first, steps
        self._stopping, self._done = threading.Event(), threading.Event()
        self._go_on()

    def _go_on(self) -> None:
        one = segment(self._next, steps=self._steps)
        self._next += 1
        self.seen.append(one)
        self._engine.perceive(self._handle, one, self._entered)

    def _entered(self, result) -> None:
        """On the engine's thread."""
        self.entered += result.frames
        if self._stopping.is_set():
            self._done.set()
        else:
            self._go_on()

    def stop(self) -> None:
        self._stopping.set()
        assert self._done.wait(DEADLINE), "the last segment did not get into memory"


@pytest.mark.parametrize("pace", [None, StepPace(step_ms=0.001)], ids=["fixed", "slow"])
def test_the_first_step_after_a_question_came_holds_its_prefill_however_many_segments_wait(pace):
    going, go_on, scheduler = threading.Event(), threading.Event(), Listening(pace)

    def hold(chunks) -> None:
        going.set()
        assert go_on.wait(DEADLINE)

    model = Hooked(ours(), lambda chunks: None)
    with Engine(model, LIMITS, scheduler) as engine:
        handles = [open_camera(engine) for _ in range(CAMERAS)]
        for handle in handles:
            show(engine, handle, segment(0))
        waiting = [Result() for _ in range(2 * CAMERAS)]
        model.hook = hold
        for n, result in enumerate(waiting):
            engine.perceive(handles[n % CAMERAS], segment(n + 1, steps=2), result)
        assert going.wait(DEADLINE)  # the engine is in a step; all questions come during it
        before = len(scheduler.steps)
        heard = [Heard() for _ in range(3)]
        texts = ["what do you see?", "who? " * 20, "why?"]
        for handle, text, one in zip(handles, texts, heard, strict=False):
            engine.ask(handle, Ask(text, max_tokens=4), one)
        model.hook = lambda chunks: None
        go_on.set()
        assert {one.wait().finish_reason for one in heard} <= {"length", "stop"}
        for result in waiting:
            assert result.wait().frames == 4
        _, prefills, plan = scheduler.steps[before]
        asked = {job.job for job in prefills if job.urgent}
        assert len(asked) == 3
        assert any(not job.urgent for job in prefills), "or no segment waited beside them"
        assert asked <= {job for job, _ in plan.prefill}
        settle(engine, handles)


def test_every_step_serves_all_who_speak_and_a_segment_that_waits():
    scheduler = Listening(StepPace(step_ms=0.001))  # as slow an engine as can be
    with Engine(ours(), LIMITS, scheduler) as engine:
        handles = [open_camera(engine) for _ in range(CAMERAS)]
        for handle in handles:
            show(engine, handle, segment(0))
        watchers = [Watcher(engine, handle, 10 + 100 * n) for n, handle in enumerate(handles)]
        heard = [Heard() for _ in range(3)]
        for handle, one in zip(handles, heard, strict=False):
            engine.ask(handle, Ask("what do you see?", max_tokens=40), one)
        for one in heard:
            one.wait()
        for watcher in watchers:
            watcher.stop()
        for decoding, prefills, plan in scheduler.steps:
            assert set(plan.decode) == set(decoding)
            if any(not job.urgent for job in prefills):
                segments = {job.job for job in prefills if not job.urgent}
                assert segments & {job for job, _ in plan.prefill}
        settle(engine, handles)


def test_cameras_with_equal_work_get_on_equally_while_answers_are_given():
    with Engine(ours(), LIMITS, Listening(StepPace(step_ms=0.001))) as engine:
        handles = [open_camera(engine) for _ in range(CAMERAS)]
        for handle in handles:
            show(engine, handle, segment(0))
        watchers = [
            Watcher(engine, handle, 10 + 100 * n, steps=2) for n, handle in enumerate(handles)
        ]
        heard = Heard()
        engine.ask(handles[0], Ask("what do you see?", max_tokens=200), heard)
        heard.wait()
        entered = [watcher.entered for watcher in watchers]
        for watcher in watchers:
            watcher.stop()
        assert max(entered) - min(entered) <= 3 * 4, entered  # segments of four frames
        assert min(entered) > 0
        settle(engine, handles)


@pytest.mark.parametrize("step_ms", [0.001, 50.0])
def test_an_answer_of_200_tokens_is_that_of_the_paused_run_and_all_that_was_due_is_in_memory(
    step_ms, monkeypatch
):
    monkeypatch.setattr(ours(), "stop_ids", frozenset())  # or it might have no 200 tokens
    scheduler = Listening(StepPace(step_ms))
    with Engine(ours(), LIMITS, scheduler) as engine:
        handle, other = open_camera(engine), open_camera(engine)
        for i in range(5):
            show(engine, handle, segment(i))
        paused, live = Heard(), Heard()
        engine.ask(handle, Ask("what do you see?", max_tokens=200), paused)
        ended = paused.wait()
        assert ended.tokens == 200
        assert ended.gaps is not None
        assert ended.gaps.number == 199
        assert abs(ended.gaps.total - ended.seconds) < 1e-6
        begun = threading.Event()
        live = Heard(lambda heard: begun.set())
        engine.ask(handle, Ask("what do you see?", max_tokens=200), live)
        assert begun.wait(DEADLINE)
        watchers = [Watcher(engine, handle, 100), Watcher(engine, other, 300)]
        assert live.wait().tokens == 200
        for watcher in watchers:
            watcher.stop()
            assert watcher.entered == sum(len(one.frames) for one in watcher.seen)
            assert watcher.entered >= 8, "hardly anything entered memory meanwhile"
        assert live.text == paused.text
        assert scheduler.pace is not None
        assert scheduler.pace.measured
        settle(engine, [handle, other])


def test_what_a_step_did_is_what_is_noted_of_it():
    scheduler = Listening(StepPace())
    with Engine(ours(), LIMITS, scheduler) as engine:
        handle = open_camera(engine)
        encoded = sum(show(engine, handle, segment(i)).encoded for i in range(3))
        heard = Heard()
        engine.ask(handle, Ask("what do you see?", max_tokens=5), heard)
        said = heard.wait().tokens
        settle(engine, [handle])
        loads = [load for load, _ in scheduler.loads]
        assert sum(load.encoded for load in loads) == encoded
        assert sum(load.rows for load in loads) in (said - 1, said)  # the first comes of prefill
        assert sum(load.prefilled for load in loads) == engine.counters["prefill_tokens"]
        assert all(ms >= 0 for _, ms in scheduler.loads)


def test_cameras_that_come_and_go_leave_nothing_behind_in_the_scheduler():
    scheduler = Listening()
    with Engine(ours(), LIMITS, scheduler) as engine:
        for _ in range(5):  # each has its beginning prefilled, and goes before it shows anything
            settle(engine, [open_camera(engine)])
        assert scheduler._prefills._marks == scheduler._encodes._marks == {}
