"""A camera whose memory was lost: it begins anew, or it is over and does not look alive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from core.errors import MemoryLost
from engine.engine import Engine
from engine.limits import Limits
from stream.cameras.answer import Question
from stream.cameras.camera import Camera
from stream.cameras.registry import Cameras
from tests.engine.exhausted import Calls, Forwards, Torn
from tests.stream.cameras.test_cameras import SIZE, WATCHING
from tests.stream.scripted import ScriptedSource
from tests.waiting import eventually

FORWARDS = Calls()


@pytest.fixture
def engine() -> Iterator[Engine]:
    limits = Limits(
        cameras=2, answers=2, waiting=2, capacity=200, prompt_tokens=64, answer_tokens=16
    )
    with Engine(Forwards(FORWARDS, Calls()), limits) as running:
        yield running
    assert running.pool.free == running.pool.unpromised == running.pool.pages


async def damaged(camera: Camera, source: ScriptedSource, policy: Torn, *, anew: bool) -> None:
    """Let two frames find their camera's memory damaged."""
    source.give(0.0, 0.25, size=SIZE)
    await eventually(lambda: camera.view().frames_remembered == 2)
    handle = camera._memory
    assert handle is not None
    memory = handle.memory
    assert memory is not None

    def hit() -> None:
        memory._store.broken = True
        if not anew:
            FORWARDS.fail(0, 2)  # nor is there room for a new one, together or alone

    vars(policy)["hit"] = hit
    source.give(0.5, 0.75, size=SIZE)
    await eventually(lambda: camera.view().segments_lost == 1)


async def test_a_camera_whose_memory_is_damaged_loses_what_it_remembered_and_goes_on(engine):
    policy, source = Torn(), ScriptedSource()
    async with Cameras(engine, replace(WATCHING, eviction=policy)) as cameras:
        camera = await cameras.attach("porch", lambda: source, url="rtsp://a/")
        await damaged(camera, source, policy, anew=True)
        source.give(1.0, 1.25, size=SIZE)
        await eventually(lambda: camera.view().frames_remembered == 4)
        view = camera.view()
        assert view.state == "live"
        assert (view.segments, view.segments_lost) == (2, 1)
        answer = camera.ask(Question("What is there?", max_tokens=3))
        assert [each async for each in answer]
        assert cameras.failure("porch") is None


async def test_a_camera_that_gets_no_memory_any_more_is_over_and_says_why(engine):
    policy, source = Torn(), ScriptedSource()
    async with Cameras(engine, replace(WATCHING, eviction=policy)) as cameras:
        camera = await cameras.attach("porch", lambda: source, url="rtsp://a/")
        await damaged(camera, source, policy, anew=False)
        source.give(1.0, 1.25, size=SIZE)
        await eventually(lambda: camera.view().state == "offline")
        failure = cameras.failure("porch")
        assert isinstance(failure, MemoryLost)
        assert "no memory left" in str(failure)
