"""Cameras attached, detached and failing, on a tiny random model."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from core.errors import CameraError, CameraNotFound, Overloaded, QuestionTooLong
from engine.admission import MEANT
from engine.engine import Engine
from engine.limits import Limits
from engine.pace import StepPace
from engine.scheduler import Scheduler
from memory.policies.sink_window import SinkWindow
from pruning.none import Dense
from stream.access.auth import Identity
from stream.access.desk import Desk
from stream.cameras.answer import Question
from stream.cameras.camera import Camera, Watching
from stream.cameras.registry import Cameras
from stream.sources.feed import CameraState
from tests.stream.scripted import ScriptedSource
from tests.tiny import ours
from tests.waiting import eventually

SIZE = (48, 64)
ADMIN = Identity("boss", "admin")
WATCHING = Watching(
    fps=4.0,
    buffer_frames=8,
    max_steps=2,
    cut_threshold=1.0,
    policy=Dense(),
    budget=8,
    eviction=SinkWindow(),
    max_question_chars=100,
    stale_after_s=60.0,
)


@pytest.fixture
def engine() -> Iterator[Engine]:
    limits = Limits(
        cameras=2, answers=2, waiting=2, capacity=200, prompt_tokens=64, answer_tokens=16
    )
    with Engine(ours(), limits) as running:
        yield running
    assert running.pool.free == running.pool.unpromised == running.pool.pages


async def test_a_camera_detached_while_it_is_attached_leaves_nothing_behind(engine):
    async with Cameras(engine, WATCHING) as cameras:
        attaching = asyncio.create_task(cameras.attach("porch", ScriptedSource, url="rtsp://a/"))
        await asyncio.sleep(0)  # it runs up to its first await: the name is taken, nothing is ready
        assert cameras.names() == ["porch"]
        await cameras.detach("porch")
        again = await cameras.attach("porch", ScriptedSource, url="rtsp://b/")
        with pytest.raises(CameraError, match="detached"):
            await attaching
        assert cameras.get("porch") is again, "the new camera of that name is untouched"


async def test_a_detach_that_is_cancelled_is_finished_on_leaving(engine):
    closing = asyncio.Event()

    class Slow(ScriptedSource):
        async def close(self) -> None:
            await closing.wait()
            await super().close()

    source = Slow().give(0.0, size=SIZE)
    async with Cameras(engine, WATCHING) as cameras:
        camera = await cameras.attach("porch", lambda: source, url="rtsp://a/")
        await eventually(lambda: camera.latest() is not None)
        detaching = asyncio.create_task(cameras.detach("porch"))
        await eventually(lambda: not cameras.names())
        detaching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await detaching
        assert not source.closed
        closing.set()
    assert source.closed


async def test_on_leaving_all_cameras_close_at_once(engine):
    together = asyncio.Barrier(2)

    class Patient(ScriptedSource):
        async def close(self) -> None:
            async with asyncio.timeout(20):
                await together.wait()
            await super().close()

    sources = [Patient().give(0.0, size=SIZE), Patient().give(0.0, size=SIZE)]
    async with Cameras(engine, WATCHING) as cameras:
        for number, source in enumerate(sources):
            camera = await cameras.attach(f"cam{number}", lambda s=source: s, url="rtsp://a/")
            await eventually(lambda c=camera: c.latest() is not None)
    assert [source.closed for source in sources] == [1, 1]


async def test_a_camera_that_died_of_a_mistake_does_not_pass_for_a_live_one(engine):
    class Broken(ScriptedSource):
        async def recv(self):
            frame = await super().recv()
            if frame.pts > 1:
                raise RuntimeError("a mistake")
            return frame

    source = Broken().give(0.0, 0.25, 2.0, size=SIZE)
    async with Cameras(engine, WATCHING) as cameras:
        camera = await cameras.attach("porch", lambda: source, url="rtsp://a/")
        await cameras.finished("porch")
        assert (camera.view().state, camera.view().reason) == ("offline", "unknown")


async def test_segments_that_are_lost_are_counted_and_complained_about_once(engine, caplog):
    source = ScriptedSource().give(*(n / 4 for n in range(24)), size=(1, 400)).finish()
    source.lossless, source.live = True, False
    async with Cameras(engine, WATCHING) as cameras:
        camera = await cameras.attach("porch", lambda: source, url="rtsp://a/")
        await cameras.finished("porch")
        view = camera.view()
        assert (view.frames_in, view.frames_remembered, view.state) == (24, 0, "offline")
    assert caplog.text.count("400x1") == 1


async def test_a_longer_answer_than_there_is_room_for_is_refused(engine):
    source = ScriptedSource().give(0.0, 0.25, size=SIZE)
    async with Cameras(engine, WATCHING) as cameras:
        camera = await cameras.attach("porch", lambda: source, url="rtsp://a/")
        await eventually(lambda: camera.view().frames_remembered == 2)
        with pytest.raises(QuestionTooLong, match="16"):
            camera.ask(Question("what?", max_tokens=17))
        async with camera.ask(Question("what?", max_tokens=16)) as answer:
            async for _ in answer:
                pass
        assert answer.result is not None
        assert answer.result.finish_reason in ("stop", "length")


async def test_asking_again_draws_again_but_only_where_a_temperature_is_wanted(engine):
    source = ScriptedSource().give(0.0, 0.25, size=SIZE)
    async with Cameras(engine, WATCHING) as cameras:
        camera = await cameras.attach("porch", lambda: source, url="rtsp://a/")
        await eventually(lambda: camera.view().frames_remembered == 2)
        texts: dict[float, set[str]] = {0.0: set(), 5.0: set()}
        for temperature in [*texts] * 4:
            question = Question("what?", max_tokens=16, temperature=temperature)
            async with camera.ask(question) as answer:
                texts[temperature].add("".join([delta async for delta in answer]))
    assert len(texts[0.0]) == 1
    assert len(texts[5.0]) > 1


async def test_what_ended_an_answer_is_told_as_it_was_raised(engine):
    source = ScriptedSource().give(0.0, 0.25, size=SIZE)
    async with Cameras(engine, WATCHING) as cameras:
        camera = await cameras.attach("porch", lambda: source, url="rtsp://a/")
        await eventually(lambda: camera.view().frames_remembered == 2)
        many_tokens = "é" * WATCHING.max_question_chars
        async with camera.ask(Question(many_tokens, max_tokens=16)) as answer:
            assert [delta async for delta in answer] == []
        assert answer.result is not None
        assert isinstance(answer.result.cause, QuestionTooLong)
        assert answer.result.error == str(answer.result.cause)


@pytest.fixture
def hurried() -> Iterator[Engine]:
    """An engine that has no time at all for cameras, as soon as it knows what they cost."""
    limits = Limits(cameras=3, capacity=200, prompt_tokens=64, answer_tokens=16, load=1e-9)
    with Engine(ours(), limits, Scheduler(pace=StepPace())) as running:
        yield running


async def measured(cameras: Cameras) -> Camera:
    """Attach a live camera that shows enough for its cost to be known."""
    source = ScriptedSource(lossless=True).give(*(n / 4 for n in range(8 * MEANT)), size=SIZE)
    camera = await cameras.attach("first", lambda: source, url="rtsp://a/")
    await eventually(lambda: camera.view().load is not None)
    return camera


async def test_a_camera_of_the_configuration_is_watched_however_little_time_is_left(hurried):
    async with Cameras(hurried, WATCHING) as cameras:
        await measured(cameras)
        with pytest.raises(Overloaded):
            await cameras.attach("late", ScriptedSource, url="rtsp://b/")
        source = ScriptedSource().give(0.0, 0.25, size=SIZE)
        camera = await cameras.attach("mine", lambda: source, url="rtsp://c/", anyway=True)
        await eventually(lambda: camera.view().frames_remembered == 2)


async def test_a_camera_that_there_is_no_time_to_change_stays_as_it_is(hurried):
    async with Cameras(hurried, WATCHING) as cameras:
        camera = await measured(cameras)
        gone: list[str] = []
        desk = Desk(cameras)
        desk.on_detached(gone.append)
        with pytest.raises(Overloaded):
            await desk.replace(ADMIN, "first", "demo:calm", 2 * WATCHING.fps)
        assert cameras.get("first") is camera
        assert camera.view().load is not None
        await desk.replace(ADMIN, "first", "demo:calm", None)
        assert cameras.get("first").view().url == "demo:calm", "it needs no more"
        assert gone == []


async def test_a_film_that_has_ended_needs_no_time_any_more():
    source = ScriptedSource(lossless=True).give(*(n / 4 for n in range(8 * MEANT)), size=SIZE)
    limits = Limits(cameras=1, capacity=200, prompt_tokens=64, answer_tokens=16)
    with Engine(ours(), limits, Scheduler(pace=StepPace())) as engine:
        async with Cameras(engine, WATCHING) as cameras:
            camera = await cameras.attach("film", lambda: source, url="file:a.mp4")
            await eventually(lambda: camera.view().load is not None)
            source.finish()
            await cameras.finished("film")
            assert camera.view().load is None
            assert camera.view().memory_held > 0, "what it saw can still be asked about"


async def test_a_camera_whose_source_is_gone_keeps_its_place_and_a_refusal_counts_it_apart():
    """It is let in again as it was, whoever asked meanwhile."""
    here = ScriptedSource(lossless=True).give(*(n / 4 for n in range(8 * MEANT)), size=SIZE)
    sources = [here]
    limits = Limits(cameras=3, capacity=200, prompt_tokens=64, answer_tokens=16, load=1e-6)
    with Engine(ours(), limits, Scheduler(pace=StepPace())) as engine:
        async with Cameras(engine, WATCHING) as cameras:
            camera = await cameras.attach(
                "porch", lambda: sources.pop() if sources else ScriptedSource(hangs=True),
                url="rtsp://a/", anyway=True,
            )  # fmt: skip
            await eventually(lambda: camera.view().load is not None)
            with pytest.raises(Overloaded) as refused:
                await cameras.attach("yard", ScriptedSource, url="rtsp://b/")
            assert "offline" not in str(refused.value)
            here.lose()
            await eventually(lambda: camera.view().state == "retrying")
            with pytest.raises(Overloaded, match="one of them is offline and holds"):
                await cameras.attach("yard", ScriptedSource, url="rtsp://b/")
            assert (camera.view().load or 0) > 0, "it holds what it needs"
            for state, offline in [(CameraState.LIVE, False), (CameraState.STALLED, True)]:
                camera._fed(replace(camera._feed.status, state=state))
                with pytest.raises(Overloaded) as refused:
                    await cameras.attach("yard", ScriptedSource, url="rtsp://b/")
                assert ("offline" in str(refused.value)) == offline


async def test_an_unknown_camera_is_named_with_those_there_are(engine):
    async with Cameras(engine, WATCHING) as cameras:
        await cameras.attach("porch", ScriptedSource, url="rtsp://a/")
        with pytest.raises(CameraNotFound, match="'yard'.*porch"):
            cameras.get("yard")
