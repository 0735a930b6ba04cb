"""The folder of an archive on disk: its owner's alone, restored whole, left clean."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from engine.recalling import Drawer
from memory.recall.disk import DRAFT, GONE, SUFFIX, clear
from tests.memory.recall.steps import opened, put, step
from tests.memory.recall.tiered import RUN, archive, bytes_of, on_disk, same, until, watch

torch.set_num_threads(1)


WRITER = """
import sys
from pathlib import Path
from tests.memory.recall.tiered import archive
from tests.memory.recall.steps import put, step
kept = archive(Path(sys.argv[1]), lasting=True)
for number in range(10**6):
    put(kept, step(number, 15))
    print(number, flush=True)
"""


def test_a_folder_is_its_owners_alone_and_closing_leaves_nothing_of_ours(tmp_path):
    folder = tmp_path / "archives" / "porch"
    kept = archive(folder)
    watch(kept, 0, 120)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = list(folder.iterdir())
    assert files
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    (folder / "notes.txt").write_text("somebody else's")
    kept.close()
    kept.close()
    assert kept.join(30)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_what_an_earlier_archive_left_is_removed_at_the_start_and_nothing_else(tmp_path):
    folder = tmp_path / "porch"
    folder.mkdir()
    (folder / f"{'a' * 32}{SUFFIX}").write_bytes(b"x")
    (folder / f"{'b' * 32}{DRAFT}").write_bytes(b"x")
    others = {"notes.txt", f"night{SUFFIX}", f"letter{DRAFT}"}
    for name in others:
        (folder / name).write_text("somebody else's")
    kept = archive(folder, lasting=True)
    kept.begin()
    until(lambda: len(list(folder.iterdir())) == len(others))
    kept.close()
    assert kept.join(30)
    assert {path.name for path in folder.iterdir()} == others


def test_a_camera_that_starts_takes_nothing_from_one_of_a_longer_name(tmp_path):
    """Whatever cameras are called: what is being removed is called like none of them."""
    drawer = Drawer(tmp_path, 10**6)
    near = drawer.of("porch.gone-1").folder
    near.mkdir()
    (near / f"{'a' * 32}{SUFFIX}").write_bytes(b"x")
    (tmp_path / f"{GONE}left").mkdir()  # by a process that was killed
    kept = archive(drawer.of("porch").folder, lasting=True)
    kept.begin()
    until(lambda: kept.settled and not (tmp_path / f"{GONE}left").exists())
    kept.close()
    assert kept.join(30)
    assert len(list(near.iterdir())) == 1
    (tmp_path / f"{GONE}left").mkdir()
    assert {path.name for path in drawer.all()} == {
        "archive-porch", "archive-porch.gone-1", f"{GONE}left"
    }  # fmt: skip


def test_a_restored_archive_is_in_order_though_the_disk_took_a_newer_run_first(tmp_path):
    first = archive(tmp_path / "porch", lasting=True)
    watch(first, 0, 120)
    state = first.state()
    first.close()
    assert first.join(30)
    *older, newest = state.away
    late = replace(newest, spans=tuple(replace(x, time=x.time + 6.0) for x in newest.spans))
    second = archive(tmp_path / "porch")
    second.restore(replace(state, away=(*older, late)))
    times = [one.time for one in second.steps]
    assert [x.run.time for x in second.steps] == sorted(x.run.time for x in second.steps)
    assert len(times) == 120
    second.close()


def test_a_restored_archive_takes_over_its_files_and_removes_those_of_nobody(tmp_path):
    folder = tmp_path / "porch"
    first = archive(folder, lasting=True)
    watch(first, 0, 120)
    state, wanted = first.state(), bytes_of(opened(first))
    named = {path.name for path in on_disk(first, folder)}
    watch(first, 120, 160)  # after the save: more files, which nothing refers to
    first.close()
    assert first.join(30)
    assert {path.name for path in folder.iterdir()} > named
    second = archive(folder, lasting=True)
    second.restore(state)
    assert bytes_of(opened(second)).keys() == wanted.keys()
    assert all(same(x, wanted[when]) for when, x in bytes_of(opened(second)).items())
    assert {path.name for path in folder.iterdir()} == named
    watch(second, 120, 160)
    assert second.forgotten == 0
    second.close()


def test_a_restored_archive_keeps_to_the_bytes_that_its_disk_has_now(tmp_path):
    first = archive(tmp_path / "porch", lasting=True)
    watch(first, 0, 160)
    state = first.state()
    first.close()
    assert first.join(30)
    second = archive(tmp_path / "porch", files=4 * RUN)
    second.restore(state)
    until(lambda: second.settled)
    assert all(level.bytes <= level.capacity for level in second.levels)
    assert 0 < second.forgotten < 160
    assert second.steps[0].time == 0.0
    assert len(opened(second)) == 160 - second.forgotten
    second.close()


def test_without_a_disk_what_lay_there_is_forgotten_and_counted(tmp_path):
    first = archive(tmp_path / "porch", lasting=True)
    watch(first, 0, 120)
    state = first.state()
    away = sum(len(each.spans) for each in state.away)
    second = archive()
    second.restore(state)
    assert second.forgotten == away > 0
    assert len(second.steps) == 120 - away
    first.close()


@pytest.mark.parametrize("seed", range(2))
def test_a_kill_while_it_writes_leaves_whole_files_and_a_folder_that_can_be_used(tmp_path, seed):
    folder = tmp_path / "porch"
    command = [sys.executable, "-c", WRITER, str(folder)]
    env = {**os.environ, "PYTHONPATH": os.getcwd()}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env) as writer:
        until(lambda: folder.is_dir() and len(list(folder.glob(f"*{SUFFIX}"))) > 5 + seed)
        writer.send_signal(signal.SIGKILL)
    sizes = {path.stat().st_size for path in folder.glob(f"*{SUFFIX}")}
    assert len(sizes) == 1, "all of them are whole"
    assert len(list(folder.glob(f"*{DRAFT}"))) <= 1
    kept = archive(folder)
    watch(kept, 0, 120)
    assert {path.name for path in folder.iterdir()} == {x.name for x in on_disk(kept, folder)}
    assert len(opened(kept)) == 120
    kept.close()


def test_a_camera_that_is_gone_leaves_no_folder_even_while_it_writes(tmp_path):
    folder = tmp_path / "porch"
    kept = archive(folder, lasting=True)
    watch(kept, 0, 120)
    for number in range(120, 200):
        put(kept, step(number, 15))
    kept.close()
    clear(folder)
    assert kept.join(30)
    assert list(tmp_path.iterdir()) == []
    clear(folder)
