"""A memory that was saved and read again is the one that was never saved."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest
import torch

from core.errors import MemoryNotSaved
from memory.codecs.plain import Plain
from memory.codecs.registry import codecs
from memory.policies.registry import POLICIES
from memory.policies.sink_window import SinkWindow
from memory.recall.archive import Archive
from memory.recall.disk import Disk
from memory.recall.step import thaw
from memory.saving.shelf import Shelf
from tests.memory.policies.running import ROTATION, SHAPE
from tests.memory.recall.steps import landmarks, opened
from tests.memory.saving.resuming import assert_alike, begin, fit, resume, through_disk, watch

EVERY = pytest.mark.parametrize("kind", POLICIES, ids=lambda kind: kind.__name__)


@EVERY
@pytest.mark.parametrize("steps", [1, 4, 25])
def test_every_policy_goes_on_as_if_it_had_never_been_saved(tmp_path, kind, steps):
    run = watch(begin(kind(), seed=steps), steps)
    saved = through_disk(tmp_path, run, fit(kind()))
    other = resume(run, saved.state)
    assert_alike(run.memory, other.memory)
    for _ in range(12):
        watch(run, 1)
        watch(other, 1)
        assert_alike(run.memory, other.memory)
        other.pool.check()
    other.memory.release()
    assert other.pool.free == other.pool.unpromised == other.pool.pages


@pytest.mark.parametrize("codec", codecs(), ids=lambda codec: codec.label)
def test_every_codecs_archive_comes_back_bit_for_bit_and_goes_on(tmp_path, codec):
    run = watch(begin(SinkWindow(), codec, seed=4), 40)
    archive = run.memory.archive
    assert archive is not None
    assert archive.state().runs, "some steps are frozen together"
    saved = through_disk(tmp_path, run, fit(SinkWindow(), codec))
    other = resume(run, saved.state, codec)
    assert_alike(run.memory, other.memory)
    watch(run, 15)
    watch(other, 15)
    assert_alike(run.memory, other.memory)


def tiered(folder: Path, *, lasting: bool = True) -> Archive:
    disk = Disk(folder, 10**7, lasting=lasting)
    return Archive(Plain(), ROTATION, SHAPE, 60_000, host_bytes=60_000, disk=disk)


def test_an_archive_with_runs_on_disk_comes_back_with_them(tmp_path):
    run = begin(SinkWindow(), Plain())
    run.memory.archive = first = tiered(tmp_path / "runs")
    for _ in range(60):
        watch(run, 1)
        deadline = time.monotonic() + 30
        while not first.settled:
            assert time.monotonic() < deadline
            time.sleep(0.002)
    saved = through_disk(tmp_path, run, fit(SinkWindow(), Plain()))
    assert saved.state.archive is not None
    assert saved.state.archive.away
    wanted = thaw(opened(first))
    first.close()
    assert first.join(30)
    second = tiered(tmp_path / "runs", lasting=False)
    second.restore(saved.state.archive)
    assert [x.span for x in second.steps] == [x.span for x in first.steps]
    assert torch.equal(landmarks(second), landmarks(first))
    for one, other in zip(thaw(opened(second)), wanted, strict=True):
        assert torch.equal(one.keys, other.keys)
        assert torch.equal(one.values, other.values)
        assert torch.equal(one.positions, other.positions)
    second.close()


def test_an_archive_with_fewer_bytes_than_before_keeps_to_them(tmp_path):
    codec = codecs()[0]
    run = watch(begin(SinkWindow(), codec), 60)
    saved = through_disk(tmp_path, run, fit(SinkWindow(), codec))
    assert run.memory.archive is not None
    assert saved.state.archive is not None
    small = Archive(codec, ROTATION, SHAPE, run.memory.archive.bytes // 2)
    small.restore(saved.state.archive)
    assert 0 < small.bytes <= small.capacity
    assert small.forgotten > run.memory.archive.forgotten


def test_a_state_is_a_copy_that_later_steps_and_evictions_leave_alone(tmp_path):
    run = watch(begin(SinkWindow()), 20)
    state = run.memory.state()
    keys, positions = state.keys.clone(), state.tokens.positions.copy()
    watch(run, 20)
    assert torch.equal(state.keys, keys)
    assert (state.tokens.positions == positions).all()
    assert state.newest == 19.0


def test_saving_disturbs_no_snapshot_and_takes_no_page():
    run = watch(begin(SinkWindow()), 20)
    snapshot = run.memory.snapshot()
    slots = snapshot.view.slots
    before = run.pool.keys.flatten(1, 2)[:, slots].clone()
    free = run.pool.unpromised
    run.memory.state()
    assert run.pool.unpromised == free
    watch(run, 20)
    assert torch.equal(run.pool.keys.flatten(1, 2)[:, slots], before)
    snapshot.release()


def test_the_manifest_says_what_when_and_how_much(tmp_path):
    run = watch(begin(SinkWindow()), 20)
    manifest = through_disk(tmp_path, run, fit(SinkWindow())).manifest
    assert (manifest.camera, manifest.model, manifest.held) == ("porch", "tiny", run.memory.held)
    assert (manifest.newest, manifest.second_zero) == (19.0, 1000.0)
    assert manifest.seen == run.memory.seen


def test_only_the_newest_save_stays_and_nobody_else_may_read_it(tmp_path):
    shelf = Shelf(tmp_path, "porch", fit(SinkWindow()))
    run = begin(SinkWindow())
    for _ in range(3):
        shelf.write(watch(run, 3).memory.state(), 100.0, 0.0)
    (camera,) = tmp_path.iterdir()
    (save,) = camera.iterdir()
    for path in (camera, save, *save.iterdir()):
        assert not stat.S_IMODE(os.stat(path).st_mode) & 0o077, path
    saved = shelf.read()
    assert saved is not None
    assert saved.state.newest == 8.0


def test_a_cleared_shelf_is_empty_and_stays_so(tmp_path):
    shelf = Shelf(tmp_path, "porch", fit(SinkWindow()))
    state = watch(begin(SinkWindow()), 3).memory.state()
    shelf.write(state, 2.0, 0.0)
    shelf.clear()
    assert shelf.read() is None
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(MemoryNotSaved, match="removed"):
        shelf.write(state, 2.0, 0.0)


def test_a_name_that_leads_elsewhere_is_no_camera(tmp_path):
    for name in ("../x", "a/b", "", "a b", "x\0"):
        with pytest.raises(ValueError, match="name"):
            Shelf(tmp_path, name, fit(SinkWindow()))
    Shelf(tmp_path, "..", fit(SinkWindow())).write(
        watch(begin(SinkWindow()), 2).memory.state(), 2.0, 0.0
    )
    assert [path.name for path in tmp_path.iterdir()] == ["camera-.."]
