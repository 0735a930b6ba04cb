"""Cameras whose memory outlives them, on a tiny random model and a real disk."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import (
    Busy,
    CameraBlind,
    ConfigError,
    MemoryNotSaved,
    SourceUnavailable,
    Unsupported,
)
from engine.engine import Engine
from engine.limits import Limits
from memory.policies.sink_window import SinkWindow
from memory.saving.fit import Fit
from memory.saving.manifest import Manifest
from memory.saving.shelf import ASIDE, MANIFEST, TENSORS, Saved, Shelf
from models.identity import fingerprint
from stream.cameras.answer import Question
from stream.cameras.camera import Camera
from stream.cameras.keeping import Keeper, Keeping
from stream.cameras.registry import Cameras
from tests.stream.cameras.test_cameras import SIZE, WATCHING
from tests.stream.scripted import ScriptedSource
from tests.tiny import ours
from tests.waiting import eventually

URL = "rtsp://admin:hunter2@camera.example/stream?token=abc123"
LIMITS = Limits(cameras=2, answers=2, waiting=2, capacity=200, prompt_tokens=64, answer_tokens=16)
FRAMES = tuple(n / 4 for n in range(8))


def fit(**changed: object) -> Fit:
    model = ours()
    usual = Fit("tiny", fingerprint(model), model.shape, len(model.prefix()), LIMITS.capacity,
                SinkWindow())  # fmt: skip
    return replace(usual, **changed)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(ours(), LIMITS) as running:
        yield running
    assert running.pool.free == running.pool.unpromised == running.pool.pages


def keeping(folder: Path, every_s: float = 3600.0, **changed: object) -> Keeping:
    return Keeping(folder, every_s, fit(**changed))


async def attached(cameras: Cameras, source: ScriptedSource, kept: bool = True) -> Camera:
    return await cameras.attach("porch", lambda: source, url=URL, kept=kept)


async def watched(engine: Engine, keeping: Keeping, *frames: float) -> Camera:
    """A camera that has seen these frames and was then shut down."""
    source = ScriptedSource().give(*(frames or FRAMES), size=SIZE)
    async with Cameras(engine, WATCHING, keeping) as cameras:
        camera = await attached(cameras, source)
        wanted = len(frames or FRAMES)
        await eventually(lambda: camera.view().frames_remembered == wanted)
    return camera


def saved(folder: Path, **changed: object) -> Saved:
    found = Shelf(folder, "porch", fit(**changed)).read()
    assert found is not None
    return found


def only(folder: Path, name: str) -> Path:
    (path,) = folder.glob(f"camera-porch/0*/{name}")
    return path


async def test_a_camera_that_was_shut_down_remembers_when_it_starts_again(engine, tmp_path):
    before = (await watched(engine, keeping(tmp_path))).view()
    async with Cameras(engine, WATCHING, keeping(tmp_path)) as cameras:
        source = ScriptedSource()
        camera = await attached(cameras, source)
        view = camera.view()
        assert view.restored == f"restored {before.memory_held} tokens up to 1.8 s"
        assert (view.memory_held, view.memory_seen) == (before.memory_held, before.memory_seen)
        assert view.newest_pts == before.newest_pts
        async with camera.ask(Question("what?", max_tokens=8)) as answer:
            assert "".join([delta async for delta in answer])
        assert answer.result is not None
        assert [(e.t_start, e.t_end) for e in answer.result.evidence] == [(0.125, 1.625)]
        source.give(0.0, 0.25, size=SIZE)
        await eventually(lambda: camera.view().frames_remembered == 2)
        assert camera.view().newest_pts > before.newest_pts + 0.25
        assert camera.view().memory_held > before.memory_held


async def test_stream_seconds_go_on_by_the_clock_on_the_wall_over_a_restart(engine, tmp_path):
    await watched(engine, keeping(tmp_path))
    earlier = saved(tmp_path)
    an_hour_ago = earlier.manifest.second_zero - 3600
    Shelf(tmp_path, "porch", fit()).write(earlier.state, 1.75, an_hour_ago)
    source = ScriptedSource()
    async with Cameras(engine, WATCHING, keeping(tmp_path)) as cameras:
        camera = await attached(cameras, source)
        age = camera.view().frame_age_ms
        assert age is not None
        assert 3600e3 <= age < 3700e3
        async with camera.ask(Question("what?", max_tokens=8)) as answer:
            text = "".join([delta async for delta in answer])
        if camera.view().frame_age_ms > WATCHING.stale_after_s * 1000:
            assert text.startswith("(The newest picture is 36"), "what is old is said to be"
        source.give(5.0, 5.25, size=SIZE)
        await eventually(lambda: camera.view().frames_remembered == 2)
        pts = camera.view().newest_pts
        assert pts is not None
        assert abs(pts - (time.time() - an_hour_ago)) < 30
        assert pts > 3600
    again = saved(tmp_path)
    assert again.state.newest == pytest.approx(pts - 0.125)
    assert again.manifest.second_zero == pytest.approx(an_hour_ago, abs=30)


async def test_a_wall_clock_that_was_set_back_turns_no_time_back(engine, tmp_path):
    await watched(engine, keeping(tmp_path))
    earlier = saved(tmp_path)
    Shelf(tmp_path, "porch", fit()).write(earlier.state, 1.75, time.time() + 7200)
    source = ScriptedSource().give(0.0, 0.25, size=SIZE)
    async with Cameras(engine, WATCHING, keeping(tmp_path)) as cameras:
        camera = await attached(cameras, source)
        await eventually(lambda: camera.view().frames_remembered == 2)
        assert 1.75 < camera.view().newest_pts < 60


@pytest.mark.parametrize("name", [TENSORS, MANIFEST])
async def test_a_damaged_memory_is_refused_said_put_aside_and_replaced(
    engine, tmp_path, caplog, name
):
    await watched(engine, keeping(tmp_path))
    path = only(tmp_path, name)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    source = ScriptedSource()
    async with Cameras(engine, WATCHING, keeping(tmp_path)) as cameras:
        camera = await attached(cameras, source)
        view = camera.view()
        assert view.restored.startswith("refused: its ")
        assert view.memory_held == len(ours().prefix())
        with pytest.raises(CameraBlind):
            camera.ask(Question("what?", max_tokens=8))
        source.give(0.0, 0.25, size=SIZE)
        await eventually(lambda: camera.view().frames_remembered == 2)
        assert camera.view().newest_pts == 0.25
    assert caplog.text.count("starts empty") == 1
    assert (tmp_path / "camera-porch" / ASIDE / name).read_bytes() == bytes(data)
    assert saved(tmp_path).manifest.newest == 0.25


async def test_what_cannot_be_read_for_want_of_room_is_put_aside_and_the_camera_starts(
    engine, tmp_path, caplog
):
    await watched(engine, keeping(tmp_path))

    class Large(Shelf):
        def read(self) -> Saved | None:
            raise MemoryError

    keeper = Keeper("porch", Large(tmp_path, "porch", fit()), 3600.0)
    assert await keeper.read() is None
    assert keeper.restored == "refused: it could not be read: MemoryError"
    assert (tmp_path / "camera-porch" / ASIDE / TENSORS).is_file()
    assert caplog.text.count("starts empty") == 1


async def test_what_the_engine_cannot_restore_is_put_aside_and_the_camera_starts(
    engine, tmp_path, caplog
):
    with Engine(ours(), replace(LIMITS, capacity=400)) as larger:
        source = ScriptedSource(lossless=True).give(*(n / 4 for n in range(60)), size=SIZE)
        async with Cameras(larger, WATCHING, keeping(tmp_path, capacity=400)) as cameras:
            camera = await attached(cameras, source)
            await eventually(lambda: camera.view().frames_remembered == 60, within_s=30)
    assert saved(tmp_path, capacity=400).state.held > LIMITS.capacity, "or it would be restored"
    async with Cameras(engine, WATCHING, keeping(tmp_path, capacity=400)) as cameras:
        source = ScriptedSource().give(0.0, 0.25, size=SIZE)
        camera = await attached(cameras, source)
        assert (
            camera.view().restored == "refused: it could not be restored: it failed: AssertionError"
        )
        await eventually(lambda: camera.view().frames_remembered == 2)
        assert camera.view().newest_pts == 0.25
    assert (tmp_path / "camera-porch" / ASIDE / TENSORS).is_file()
    assert caplog.text.count("starts empty") == 1


async def test_the_memory_of_another_model_is_refused_and_is_there_for_that_model(engine, tmp_path):
    await watched(engine, keeping(tmp_path, model="other", fingerprint="other"))
    async with Cameras(engine, WATCHING, keeping(tmp_path)) as cameras:
        camera = await attached(cameras, ScriptedSource())
        assert camera.view().restored == "refused: it was made with another model ('other')"
    (tmp_path / "camera-porch" / ASIDE).rename(tmp_path / "camera-porch" / "000000000001")
    assert saved(tmp_path, model="other", fingerprint="other").manifest.model == "other"


async def test_a_detached_camera_leaves_nothing_on_disk(engine, tmp_path):
    await watched(engine, keeping(tmp_path))
    async with Cameras(engine, WATCHING, keeping(tmp_path)) as cameras:
        await attached(cameras, ScriptedSource())
        await cameras.detach("porch")
        assert list(tmp_path.iterdir()) == []
        camera = await attached(cameras, ScriptedSource())
        assert camera.view().restored == ""
        assert camera.view().newest_pts is None


async def test_a_camera_that_a_client_added_is_never_written_to_disk(engine, tmp_path):
    source = ScriptedSource().give(*FRAMES, size=SIZE)
    async with Cameras(engine, WATCHING, keeping(tmp_path, every_s=0)) as cameras:
        camera = await attached(cameras, source, kept=False)
        await eventually(lambda: camera.view().frames_remembered == 8)
        with pytest.raises(Unsupported, match="memory.save.folder"):
            await camera.save()
    assert list(tmp_path.iterdir()) == []


async def test_memories_are_saved_while_cameras_watch(engine, tmp_path):
    source = ScriptedSource()
    async with Cameras(engine, WATCHING, keeping(tmp_path, every_s=0)) as cameras:
        camera = await attached(cameras, source)
        shelf = Shelf(tmp_path, "porch", fit())
        for newest in (0.25, 0.75):
            source.give(newest - 0.25, newest, size=SIZE)
            await eventually(
                lambda want=newest: (found := shelf.read()) and found.manifest.newest == want
            )
        assert camera.view().save_problem == ""


async def test_a_file_that_breaks_off_is_remembered_up_to_there(engine, tmp_path):
    source = ScriptedSource(live=False, lossless=True).give(*FRAMES, size=SIZE).lose("codec")
    async with Cameras(engine, WATCHING, keeping(tmp_path)) as cameras:
        camera = await attached(cameras, source)
        await cameras.finished("porch")
        assert isinstance(cameras.failure("porch"), SourceUnavailable)
        assert saved(tmp_path).manifest.newest == camera.view().newest_pts == FRAMES[-1]


async def test_a_memory_is_saved_on_request_and_what_was_not_seen_is_not(engine, tmp_path):
    source = ScriptedSource()
    async with Cameras(engine, WATCHING, keeping(tmp_path)) as cameras:
        camera = await attached(cameras, source)
        with pytest.raises(CameraBlind):
            await camera.save()
        source.give(*FRAMES, size=SIZE)
        await eventually(lambda: camera.view().frames_remembered == 8)
        manifest = await camera.save()
        assert isinstance(manifest, Manifest)
        assert manifest.held == camera.view().memory_held
        assert saved(tmp_path).manifest == manifest


async def test_one_save_at_a_time_and_the_second_request_is_told_to_wait(engine, tmp_path):
    source = ScriptedSource().give(*FRAMES, size=SIZE)
    async with Cameras(engine, WATCHING, keeping(tmp_path)) as cameras:
        camera = await attached(cameras, source)
        await eventually(lambda: camera.view().frames_remembered == 8)
        results = await asyncio.gather(*(camera.save() for _ in range(5)), return_exceptions=True)
        kinds = [type(result) for result in results]
        assert kinds.count(Manifest) == 1
        assert kinds.count(Busy) == 4


async def test_a_disk_that_takes_nothing_is_said_and_stops_no_camera(engine, tmp_path, caplog):
    folder = tmp_path / "memories"
    folder.write_text("in the way")
    source = ScriptedSource().give(*FRAMES, size=SIZE)
    async with Cameras(engine, WATCHING, keeping(folder, every_s=0)) as cameras:
        camera = await attached(cameras, source)
        await eventually(lambda: camera.view().frames_remembered == 8)
        await eventually(lambda: camera.view().save_problem)
        with pytest.raises(MemoryNotSaved):
            await camera.save()
        source.give(2.0, 2.25, size=SIZE)
        await eventually(lambda: camera.view().frames_remembered == 10)
        folder.unlink()
        await eventually(lambda: folder.is_dir() and not camera.view().save_problem)
    assert caplog.text.count("was not saved") == 1
    assert saved(folder).manifest.newest == 2.25


async def test_no_secret_is_on_disk_or_in_the_log(engine, tmp_path, caplog):
    caplog.set_level("DEBUG")
    await watched(engine, keeping(tmp_path))
    only(tmp_path, TENSORS).write_bytes(b"")
    await watched(engine, keeping(tmp_path))
    texts = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert texts
    for secret in ("hunter2", "abc123", "camera.example"):
        assert secret not in caplog.text
        assert not any(secret.encode() in text for text in texts)


def test_a_folder_that_cannot_be_made_is_a_mistake_of_the_configuration(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="memory.save.folder") as caught:
        keeping(tmp_path / "file" / "memories").prepare()
    assert str(tmp_path) not in str(caught.value)


def test_a_folder_that_somebody_uses_is_refused_by_name_until_it_is_free(tmp_path):
    with keeping(tmp_path).alone():
        other, message = keeping(tmp_path), "memory.save.folder: another Lookout"
        with pytest.raises(ConfigError, match=message) as caught, other.alone():
            pytest.fail("two may not save there")
        assert f"process {os.getpid()}" in str(caught.value)
        assert str(tmp_path) not in str(caught.value)
    with keeping(tmp_path).alone():
        pass


def test_a_folder_that_cannot_be_locked_is_a_mistake_of_the_configuration(tmp_path):
    lost, message = keeping(tmp_path / "missing"), "memory.save.folder: cannot be locked"
    with pytest.raises(ConfigError, match=message), lost.alone():
        pytest.fail("nothing was locked")


def test_what_fails_inside_is_not_taken_for_the_lock(tmp_path):
    with pytest.raises(OSError, match="mine"), keeping(tmp_path).alone():
        raise OSError("mine")


def test_a_disk_that_hangs_keeps_no_process_from_ending(tmp_path):
    hangs = threading.Event()

    class Hanging(Shelf):
        def read(self) -> Saved | None:
            hangs.wait()
            return None

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await Keeper("porch", Hanging(tmp_path, "porch", fit()), 0.0).read()

    process = threading.Thread(target=lambda: asyncio.run(give_up()))
    process.start()
    process.join(10)
    try:
        assert not process.is_alive()
    finally:
        hangs.set()
        process.join()


async def test_a_removal_from_a_disk_that_hangs_is_given_up_and_said(tmp_path, caplog):
    hangs = threading.Event()

    class Hanging(Shelf):
        def clear(self) -> None:
            hangs.wait()

    try:
        async with asyncio.timeout(10):
            await Keeper("porch", Hanging(tmp_path, "porch", fit()), 0.0, patience_s=0.05).clear()
    finally:
        hangs.set()
    assert "not removed: the disk does not answer" in caplog.text


def test_what_failed_is_not_tried_again_at_once(tmp_path):
    keeper = Keeper("porch", Shelf(tmp_path, "porch", fit()), 0.0)
    assert keeper.pause_s == 0
    keeper.problem = "the disk is full"
    assert keeper.pause_s > 0
