"""What the ladder really does: to numbers, and to a camera on a tiny random model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from core.errors import Overloaded, SourceUnavailable
from core.frames import Frame, Segment
from engine.engine import Engine
from engine.limits import Limits
from memory.policies.sink_window import SinkWindow
from pruning.none import Dense
from pruning.uniform import Uniform
from stream.cameras.ladder import Overload, Rung
from stream.cameras.registry import Cameras
from stream.cameras.relief import Relief, smaller
from stream.cameras.view import CameraView
from stream.cameras.watching import Watching
from stream.conversations import wire
from tests.stream.scripted import ScriptedSource
from tests.tiny import CELL, ours
from tests.waiting import eventually

SIZE = (128, 128)  # 64 cells of 16 x 16
WATCHING = Watching(
    fps=4.0,
    buffer_frames=8,
    max_steps=1,
    cut_threshold=1.0,
    policy=Uniform(),
    budget=8,
    eviction=SinkWindow(),
    max_question_chars=100,
    stale_after_s=60.0,
    overload=Overload(target_lag_s=5.0, patience_s=0.001),
)


def segment(age: float, size: tuple[int, int] = SIZE, now: float = 0.0) -> Segment:
    pixels = np.zeros((*size, 3), np.uint8)
    return Segment(0, (Frame(0.0, now - age, pixels), Frame(0.25, now - age, pixels)))


def lagging(relief: Relief, rungs: int, size: tuple[int, int] = SIZE) -> None:
    """Let it climb so many rungs."""
    start = relief.state.changes
    for now in range(1000):
        if relief.state.changes == start + rungs:
            return
        relief.note(segment(50.0, size, float(now)), float(now))
    raise AssertionError("it did not climb")


def relieved(watching: Watching = WATCHING, step_tokens=None) -> tuple[Relief, list[float]]:
    asked: list[float] = []
    return Relief("porch", watching, step_tokens or ours().step_tokens, asked.append), asked


def test_a_camera_that_drops_frames_is_behind_however_short_its_lag_looks():
    relief, fps = relieved()
    for now in range(6):  # a small buffer: what is not dropped is always fresh
        relief.note(segment(0.1, SIZE, float(now)), float(now), dropped=3 * now)
    assert set(fps) == {2.0} and relief.state.rung is Rung.SKIP
    given_up = relief.state.changes
    for now in range(6, 9):
        relief.note(segment(0.1, SIZE, float(now)), float(now), dropped=15)
    assert relief.state.changes > given_up and relief.state.rung is not Rung.SKIP, "it is over"


def test_a_camera_that_keeps_up_gives_nothing_up_for_what_it_dropped_long_ago():
    relief, fps = relieved()
    relief.note(segment(0.1), 0.0, dropped=40)  # before the first segment: it was connecting
    for now in range(1, 20):
        assert not relief.note(segment(0.1, SIZE, float(now)), float(now), dropped=40)
    assert fps == []


def test_each_rung_halves_what_it_is_named_for_and_keeps_the_others():
    relief, fps = relieved()
    assert (relief.budget, relief.skips, fps) == (8, False, [])
    lagging(relief, 1)
    assert (fps[-1], relief.budget) == (2.0, 8)
    lagging(relief, 1)
    assert (fps[-1], relief.budget) == (2.0, 4)
    assert relief.picture(segment(0)) is None
    lagging(relief, 1)
    assert relief.picture(segment(0)) == (91, 91)
    assert not relief.skips
    lagging(relief, 1)
    assert relief.skips
    frames = list(segment(0).frames) * 3
    assert relief.pick(frames, 2) == frames[-2:]
    assert relief.pick(frames[:1], 2) == frames[:1]
    assert relief.state.frames_skipped == 4
    assert (relief.budget, fps[-1]) == (4, 2.0)


def test_what_a_segment_makes_says_what_the_camera_needs_only_while_it_is_taken_in_full():
    relief, _ = relieved()
    said = [relief.in_full]
    for _ in range(4):
        lagging(relief, 1)
        said.append(relief.in_full)
    assert said == [True, True, False, False, False], "fewer frames say as much of each"


def test_on_recovery_everything_is_as_it_was_and_nobody_is_alarmed(caplog):
    caplog.set_level("INFO")
    relief, fps = relieved()
    lagging(relief, 4)
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 4
    caplog.clear()
    now = 2000.0
    while relief.state.rung is not Rung.NONE:
        now += 1
        relief.note(segment(0.0, SIZE, now), now)
        assert now < 3000
    assert (relief.budget, relief.skips, fps[-1]) == (8, False, 4.0)
    assert relief.state.changes == 8
    assert relief.picture(segment(0)) is None
    assert [record.levelname for record in caplog.records] == ["INFO"] * 4
    assert "takes back: fps -> none" in caplog.messages[-1]


def test_a_model_that_knows_one_size_is_never_shown_a_smaller_one_and_the_log_says_so(caplog):
    relief, _ = relieved(step_tokens=lambda height, width: 36)
    lagging(relief, 3)
    assert relief.state.rung is Rung.SKIP
    assert relief.picture(segment(0)) is None
    assert relief.state.given_up == (Rung.FPS, Rung.BUDGET, Rung.SKIP)
    assert "picture would change nothing" in caplog.text
    assert len(caplog.records) == 3, "each change once"


def test_methods_that_spend_as_they_find_right_have_no_smaller_budget():
    relief, _ = relieved(replace(WATCHING, policy=Dense()))
    lagging(relief, 2)
    assert relief.state.rung is Rung.PICTURE
    assert relief.budget == 8
    assert not relief.in_full, "smaller pictures make less, whatever is kept of them"


def test_a_budget_of_one_stays_one():
    relief, _ = relieved(replace(WATCHING, budget=1))
    lagging(relief, 3)
    assert (relief.state.rung, relief.budget) == (Rung.SKIP, 1)


def test_without_settings_nothing_is_ever_given_up():
    relief, fps = relieved(replace(WATCHING, overload=None))
    for now in range(100):
        assert not relief.note(segment(50.0, SIZE, now), now)
    assert (relief.budget, relief.skips, fps, relief.state.rung) == (8, False, [], Rung.NONE)


def test_half_the_pixels_make_about_half_the_tokens_where_the_model_takes_any_size():
    assert smaller(ours().step_tokens, 128, 128) == (91, 91)
    assert ours().step_tokens(91, 91) <= 0.75 * ours().step_tokens(128, 128)
    assert smaller(ours().step_tokens, 2 * CELL, 2 * CELL) is None, "it is the model's smallest"
    assert smaller(ours().step_tokens, 1, 5000) is None, "no picture at all"


@pytest.fixture
def engine() -> Iterator[Engine]:
    limits = Limits(
        cameras=2, answers=2, waiting=2, capacity=200, prompt_tokens=64, answer_tokens=16
    )
    with Engine(ours(), limits) as running:
        yield running


class Aged(ScriptedSource):
    """Frames that arrived some time ago, one step after the other, as fast as they are taken."""

    def __init__(self, *, lossless: bool = False) -> None:
        super().__init__(lossless=lossless)
        self.age, self.gone, self.every_s = 60.0, False, 0.002
        self._pts = 0.0
        self._noise = np.random.default_rng(0)

    async def recv(self) -> Frame:
        await asyncio.sleep(self.every_s)
        if self.gone:
            raise SourceUnavailable("porch has stopped sending", "ended")
        self._pts += 0.25
        pixels = self._noise.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
        return Frame(self._pts, time.monotonic() - self.age, pixels)


async def _at_once(pts: float) -> None:
    """Of a replay that waits for nothing."""


async def test_a_camera_that_lagged_and_is_gone_keeps_nobody_out(engine):
    source = Aged()
    async with Cameras(engine, WATCHING) as cameras:
        camera = await cameras.attach("porch", lambda: source, url="rtsp://a/")
        await eventually(lambda: bool(camera.view().given_up))
        source.gone = True
        await eventually(lambda: camera.view().state == "retrying")
        assert camera.view().given_up, "it begins where it was"
        await cameras.attach("yard", ScriptedSource, url="rtsp://b/")


class Told(Engine):
    """Remembers what was said of each segment."""

    def perceive(self, handle, segment, listener, budget=None, picture=None, *, in_full=True):
        super().perceive(handle, segment, listener, budget, picture, in_full=in_full)
        self.said.add((budget, picture is not None, in_full))


async def test_the_engine_is_told_of_what_segments_are_taken_in_full():
    with Told(ours(), Limits(cameras=1, capacity=200, prompt_tokens=64, answer_tokens=8)) as engine:
        engine.said = set()
        async with Cameras(engine, WATCHING) as cameras:
            camera = await cameras.attach("porch", Aged, url="rtsp://a/")
            await eventually(lambda: camera.view().overload == "skip")
            await eventually(lambda: (4, True, False) in engine.said)
        assert engine.said <= {(8, False, True), (4, False, False), (4, True, False)}
        assert (8, False, True) in engine.said


async def test_a_camera_that_lags_is_relieved_for_real_and_everybody_is_told(engine):
    told: list[CameraView] = []
    source = Aged()
    async with Cameras(engine, WATCHING) as cameras:
        cameras.subscribe(told.append)
        camera = await cameras.attach("porch", lambda: source, url="rtsp://a/")
        kept: set[int] = set()
        cells: set[int] = set()

        def lags() -> bool:
            view = camera.view()
            if view.kept is not None:
                kept.add(len(view.kept.cells))
                cells.add(view.kept.rows * view.kept.columns)
            return view.overload == "skip" and view.frames_skipped > 0

        await eventually(lags)
        await eventually(lambda: lags() and 4 in kept)
        assert min(cells) < max(cells) == 64, "pictures were seen smaller"
        with pytest.raises(Overloaded, match=r"give something up \(porch\): try again"):
            await cameras.attach("yard", Aged, url="rtsp://b/")
        assert cameras.names() == ["porch"]
        await cameras.attach("own", ScriptedSource, url="rtsp://c/", anyway=True)
        await cameras.detach("own")
        await cameras.attach("run", ScriptedSource, url="a.mp4", gate=_at_once)
        await cameras.detach("run")
        source.age, source.every_s = 0.0, 0.1
        await eventually(lambda: camera.view().overload == "none")
        await cameras.attach("yard", ScriptedSource, url="rtsp://b/")
        await cameras.detach("yard")
        assert camera.view().overload_changes >= 8
    rungs = list(dict.fromkeys(view.overload for view in told))
    assert rungs[-5:] == ["none", "fps", "budget", "picture", "skip"][: len(rungs)]
    event = wire.camera_state(next(view for view in told if view.overload == "budget"))
    assert (event.overload, event.given_up) == ("budget", ("fps", "budget"))
    assert wire.camera(camera.view()).overload == "none"


async def test_a_camera_that_is_too_fast_for_its_buffer_gives_something_up_until_it_is_not(engine):
    source = Aged()
    source.age = 0.0
    async with Cameras(engine, WATCHING) as cameras:
        camera = await cameras.attach("fast", lambda: source, url="rtsp://a/")
        await eventually(lambda: camera.view().overload != "none")
        view = camera.view()
        assert view.frames_dropped > 0
        assert view.lag_ms is not None and view.lag_ms < 1000, "far below the target"
        source.every_s = 0.1
        await eventually(lambda: camera.view().overload == "none")


async def test_a_file_at_full_speed_is_held_back_and_gives_nothing_up(engine):
    source = Aged(lossless=True)
    async with Cameras(engine, WATCHING) as cameras:
        camera = await cameras.attach("film", lambda: source, url="file:a.mp4")
        await eventually(lambda: camera.view().segments > 20)
        view = camera.view()
        assert (view.overload, view.overload_changes, view.frames_skipped) == ("none", 0, 0)
        assert view.lag_ms is not None
        assert view.lag_ms > 50_000, "or there would have been nothing to give up"
