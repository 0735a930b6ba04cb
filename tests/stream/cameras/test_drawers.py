"""Archives on disk, from the settings to the files: whose they are, and when they go."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import ConfigError
from engine.engine import Engine
from engine.limits import Limits
from engine.recalling import Drawer, Recalling
from memory.codecs.plain import Plain
from memory.policies.sink_window import RecentSteps
from memory.recall.gate import Always
from memory.recall.tiers import Level, Tier
from memory.saving.fit import Fit
from models.identity import fingerprint
from stream.cameras.answer import Question
from stream.cameras.camera import Camera
from stream.cameras.drawers import held
from stream.cameras.keeping import Keeping
from stream.cameras.registry import Cameras
from stream.cameras.watching import Watching
from tests.stream.cameras.test_cameras import SIZE, WATCHING
from tests.stream.scripted import ScriptedSource
from tests.tiny import ours
from tests.waiting import eventually

LIMITS = Limits(cameras=2, answers=2, waiting=2, capacity=200, prompt_tokens=64, answer_tokens=16,
                recall_budget=2000)  # fmt: skip
BYTES = 100 * ours().shape.bytes_per_token
FRAMES = tuple(n / 4 for n in range(60))
POLICY = RecentSteps(2)


def watching(folder: Path, *, lasting: bool = False) -> Watching:
    drawer = Drawer(folder, 10**7, lasting=lasting)
    recalling = Recalling(Plain(), Always(), BYTES, 2000, BYTES, drawer)
    return replace(WATCHING, recalling=recalling, eviction=POLICY)


def keeping(folder: Path) -> Keeping:
    model = ours()
    fit = Fit("tiny", fingerprint(model), model.shape, len(model.prefix()), LIMITS.capacity, POLICY,
              Plain())  # fmt: skip
    return Keeping(folder, 3600.0, fit)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(ours(), LIMITS) as running:
        yield running
    assert running.pool.free == running.pool.unpromised == running.pool.pages


def level(camera: Camera, tier: Tier) -> Level | None:
    archive = camera.view().archive
    assert archive is not None
    return next((each for each in archive.levels if each.tier is tier), None)


async def attached(cameras: Cameras, source: ScriptedSource, *, kept: bool) -> Camera:
    return await cameras.attach("porch", lambda: source, url="rtsp://porch/", kept=kept)


async def fed(cameras: Cameras, *, kept: bool = True) -> Camera:
    """A camera that has seen all frames, given as it keeps up with them."""
    source = ScriptedSource()
    camera = await attached(cameras, source, kept=kept)
    for number, frame in enumerate(FRAMES, 1):
        source.give(frame, size=SIZE)
        if number % 2 == 0:
            await eventually(lambda number=number: camera.view().frames_remembered == number)
    return camera


async def test_what_a_configured_camera_has_no_room_for_goes_to_its_folder_and_goes_with_it(
    engine, tmp_path
):
    async with Cameras(engine, watching(tmp_path)) as cameras:
        camera = await fed(cameras)
        disk = level(camera, Tier.DISK)
        assert disk is not None
        assert disk.runs > 0
        assert any((tmp_path / "archive-porch").iterdir())
        async with camera.ask(Question("what?", max_tokens=8)) as answer:
            assert "".join([delta async for delta in answer])
        assert answer.result is not None
        first, *_, last = answer.result.evidence
        assert (first.t_start, first.tier) == (0.125, "disk")
        assert last.tier == "hot"
        await cameras.detach("porch")
        assert list(tmp_path.iterdir()) == []


async def test_what_a_clients_camera_saw_is_never_written(engine, tmp_path):
    async with Cameras(engine, watching(tmp_path)) as cameras:
        camera = await fed(cameras, kept=False)
        assert level(camera, Tier.DISK) is None
        host = level(camera, Tier.HOST)
        assert host is not None
        assert host.runs > 0
        assert list(tmp_path.iterdir()) == []


async def test_the_bytes_of_a_camera_include_those_of_its_archive(engine, tmp_path):
    async with Cameras(engine, watching(tmp_path)) as cameras:
        one = (await attached(cameras, ScriptedSource(), kept=True)).view()
        await cameras.detach("porch")
    async with Cameras(engine, WATCHING) as cameras:
        other = (await attached(cameras, ScriptedSource(), kept=True)).view()
    assert one.memory_bytes == other.memory_bytes + 2 * BYTES
    assert one.archive is not None
    assert other.archive is None


async def test_a_camera_that_is_restored_recalls_what_lay_on_disk(engine, tmp_path):
    drawers, saves = tmp_path / "drawers", tmp_path / "saves"
    saves.mkdir()
    async with Cameras(engine, watching(drawers, lasting=True), keeping(saves)) as cameras:
        before = await fed(cameras)
        disk = level(before, Tier.DISK)
        assert disk is not None
    async with Cameras(engine, watching(drawers, lasting=True), keeping(saves)) as cameras:
        camera = await attached(cameras, ScriptedSource(), kept=True)
        again = level(camera, Tier.DISK)
        assert again is not None
        assert again.runs >= disk.runs > 0
        async with camera.ask(Question("what?", max_tokens=8)) as answer:
            assert "".join([delta async for delta in answer])
        assert answer.result is not None
        assert answer.result.evidence[0].t_start == 0.125
        await cameras.detach("porch")
        assert list(drawers.iterdir()) == []


async def test_without_a_saved_memory_nothing_stays_after_the_end(engine, tmp_path):
    async with Cameras(engine, watching(tmp_path)) as cameras:
        await fed(cameras)
    deadline = asyncio.get_running_loop().time() + 30
    while any(tmp_path.glob("archive-*")):
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)


def left_behind(folder: Path) -> Path:
    """What a killed server left."""
    run = folder / "archive-yard" / "0.run"
    run.parent.mkdir(parents=True)
    run.write_bytes(b"x")
    return run


def test_what_a_killed_server_left_is_removed_at_the_start_unless_it_lasts(tmp_path):
    run = left_behind(tmp_path)
    with held(Drawer(tmp_path, 10, lasting=True)):
        assert run.exists()
    with held(Drawer(tmp_path, 10)):
        assert not run.parent.exists()


def test_nothing_is_left_behind_however_it_ends_unless_it_lasts(tmp_path):
    with pytest.raises(ZeroDivisionError), held(Drawer(tmp_path, 10)):
        run = left_behind(tmp_path)
        raise ZeroDivisionError
    assert not run.parent.exists()
    with held(Drawer(tmp_path, 10, lasting=True)):
        run = left_behind(tmp_path)
    assert run.exists()


def test_a_second_server_is_refused_and_removes_nothing(tmp_path):
    with held(Drawer(tmp_path, 10)):
        run = left_behind(tmp_path)
        with (
            pytest.raises(ConfigError, match=r"memory\.archive\.folder: another Lookout"),
            held(Drawer(tmp_path, 10)),
        ):
            pass
        assert run.exists()
    with held(None):
        pass


def test_a_folder_that_cannot_be_had_is_refused_in_words(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be had"), held(Drawer(tmp_path / "file", 10)):
        pass
