"""Runs in three tiers: the same bytes wherever they lie, never more of them than was said."""

from __future__ import annotations

import os
import random
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.recalling import Drawer
from memory.codecs.block import Block
from memory.codecs.codec import Codec
from memory.codecs.plain import Plain
from memory.recall.archive import Archive
from memory.recall.disk import DRAFT, GONE, SUFFIX, Disk, clear
from memory.recall.opening import Opening
from memory.recall.step import Step, thaw
from memory.recall.tiers import IN_FLIGHT, Tier
from tests.memory.recall.steps import ROTATION, SHAPE, landmarks, opened, put, step

torch.set_num_threads(1)

RUN = 20_000  # bytes, more than a run of 64 tokens takes


def archive(
    folder: Path | None = None,
    *,
    codec: Codec | None = None,
    device: int = 6 * RUN,
    host: int = 6 * RUN,
    files: int = 100 * RUN,
    lasting: bool = False,
) -> Archive:
    disk = None if folder is None else Disk(folder, files, lasting=lasting)
    return Archive(codec or Plain(), ROTATION, SHAPE, device, host_bytes=host, disk=disk)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.002)


def watch(kept: Archive, first: int, last: int, places: int = 15) -> None:
    """Steps that fill a run each four; the disk has time to take what it should."""
    for number in range(first, last):
        put(kept, step(number, places))
        until(lambda: kept.settled)


def tiers(kept: Archive) -> set[Tier]:
    return {one.run.tier for one in kept.steps}


def bytes_of(steps: list[Step]) -> dict[float, tuple[torch.Tensor, ...]]:
    return {
        one.time: (x.keys, x.values, x.positions) for one, x in zip(steps, thaw(steps), strict=True)
    }


def same(one: tuple[torch.Tensor, ...], other: tuple[torch.Tensor, ...]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("codec", [Plain(), Block(), Block(bits=4)], ids=lambda x: x.label)
def test_what_is_thawed_is_bit_identical_whatever_tier_it_comes_from(tmp_path, codec):
    """The oracle has so many bytes that nothing ever leaves the device."""
    small = 6 * RUN if isinstance(codec, Plain) else 2 * RUN
    kept = archive(tmp_path / "porch", codec=codec, device=small, host=small)
    oracle = Archive(codec, ROTATION, SHAPE, 4 * 10**6)
    for number in range(160):
        for each in (kept, oracle):
            put(each, step(number, 15))
        until(lambda: kept.settled)
    assert tiers(kept) == set(Tier)
    found, wanted = bytes_of(opened(kept)), bytes_of(opened(oracle))
    assert [x.time for x in kept.steps] == sorted(found)
    assert all(same(found[when], wanted[when]) for when in found)
    rows = dict(zip([x.time for x in oracle.steps], landmarks(oracle), strict=True))
    mine = landmarks(kept)
    assert all(torch.equal(mine[i], rows[x.time]) for i, x in enumerate(kept.steps))
    kept.close()


def test_runs_get_older_downwards_and_nothing_is_forgotten_while_there_is_room(tmp_path):
    kept = archive(tmp_path / "porch")
    watch(kept, 0, 120)
    assert kept.forgotten == 0
    assert [one.time for one in kept.steps] == [float(n) for n in range(120)]
    order = [Tier.DISK, Tier.HOST, Tier.DEVICE]
    ages = [order.index(one.run.tier) for one in kept.steps]
    assert ages == sorted(ages)
    assert set(ages) == {0, 1, 2}
    levels = {level.tier: level for level in kept.levels}
    assert levels[Tier.DISK].bytes == sum(x.stat().st_size for x in (tmp_path / "porch").iterdir())
    kept.close()


@given(
    device=st.integers(1, 8 * RUN),
    host=st.integers(0, 5 * RUN),
    batches=st.lists(st.lists(st.integers(1, 40), min_size=1, max_size=4), max_size=25),
)
@settings(max_examples=25, deadline=None)
def test_in_random_use_no_tier_exceeds_its_bytes_and_every_step_is_held_or_forgotten(
    device, host, batches
):
    kept, number = archive(device=device, host=host), 0
    for batch in batches:
        put(kept, *(step(number + i, places) for i, places in enumerate(batch)))
        number += len(batch)
        assert all(level.bytes <= level.capacity for level in kept.levels)
        times = [one.time for one in kept.steps]
        assert times == sorted(set(times))
        assert len(times) + kept.forgotten == number
        matrix = landmarks(kept) if times else ()
        assert len(matrix) == len(times)


def test_in_long_use_with_a_disk_no_tier_exceeds_its_bytes(tmp_path):
    kept, folder = archive(tmp_path / "porch", files=8 * RUN), tmp_path / "porch"
    newest = 0.0  # that ever lay on disk; now and then only the oldest does, until others are gone
    kept.begin()
    until(folder.is_dir)
    for number in range(0, 400, 4):
        put(kept, *(step(number + i, 7 + (number + i) % 13) for i in range(4)))
        assert all(level.bytes <= level.capacity for level in kept.levels)
        until(lambda: kept.settled)
        lying = sum(path.stat().st_size for path in folder.iterdir())
        assert lying <= 8 * RUN
        assert len(kept.steps) + kept.forgotten == number + 4
        newest = max(newest, *(x.time for x in kept.steps if x.run.tier is Tier.DISK), 0.0)
    assert kept.forgotten > 50
    assert kept.lost == 0
    assert kept.steps[0].time == 0.0, "the oldest stays"
    assert newest > 250, "others come and go"
    assert len(opened(kept)) == len(kept.steps)
    assert len(list(folder.iterdir())) == len({x.run for x in kept.steps if x.run.file})
    kept.close()


def test_a_disk_that_takes_nothing_costs_the_past_and_not_the_present(tmp_path, caplog):
    """Its folder is a file: every write fails."""
    (tmp_path / "porch").write_text("in the way")
    kept = archive(tmp_path / "porch")
    watch(kept, 0, 120)
    assert Tier.DISK not in tiers(kept)
    assert kept.forgotten > 0
    assert kept.steps[-1].time == 119.0
    assert all(level.bytes <= level.capacity for level in kept.levels)
    assert len(opened(kept)) == len(kept.steps)
    said = [x for x in caplog.messages if "stays in host memory" in x]
    assert 0 < len(said) <= IN_FLIGHT, "it is not asked again at once"
    kept.close()


def on_disk(kept: Archive, folder: Path) -> list[Path]:
    files = {x.run.file.name: None for x in kept.steps if x.run.file is not None}
    return [folder / name for name in files]


@pytest.mark.parametrize("harm", ["cut", "flipped", "gone", "other"])
def test_a_damaged_file_loses_its_run_only_and_says_so_once(tmp_path, caplog, harm):
    folder = tmp_path / "porch"
    kept = archive(folder)
    watch(kept, 0, 120)
    before = bytes_of(opened(kept))
    path, other = on_disk(kept, folder)[1:3]
    data = path.read_bytes()
    match harm:
        case "cut":
            path.write_bytes(data[:-1])
        case "flipped":
            path.write_bytes(data[:900] + bytes([data[900] ^ 1]) + data[901:])
        case "gone":
            path.unlink()
        case "other":
            path.write_bytes(other.read_bytes())
    gone = [x.time for x in kept.steps if x.run.file and x.run.file.name == path.name]
    for _ in range(2):
        opening = kept.open(kept.steps)
        until(lambda opening=opening: opening.ready)
        kept.finish(opening)
    assert kept.lost == len(gone) > 0
    assert kept.forgotten == kept.lost
    assert len([x for x in caplog.messages if "are lost" in x]) == 1
    after = bytes_of(opened(kept))
    assert set(before) - set(after) == set(gone)
    assert all(same(before[when], after[when]) for when in after)
    assert all(level.bytes <= level.capacity for level in kept.levels)
    kept.close()


def test_what_is_opened_stays_while_its_runs_move_and_are_forgotten(tmp_path):
    kept = archive(tmp_path / "porch", files=6 * RUN)
    watch(kept, 0, 100)
    assert tiers(kept) == set(Tier)
    wanted = bytes_of(opened(kept))
    lay = {one.time: one.run.tier for one in kept.steps}
    opening = kept.open(kept.steps)  # asked for; nobody has looked yet
    watch(kept, 100, 132)
    now = {one.time: one.run.tier for one in kept.steps}
    assert set(lay) - set(now), "some were forgotten"
    assert any(now[when] is not lay[when] for when in set(lay) & set(now)), "some were moved"
    until(lambda: opening.ready)
    came = [each for each in opening.steps(torch.device("cpu")) if each is not None]
    assert {one.time: tier for one, tier in came} == lay, "and it says where they lay"
    found = bytes_of([one for one, _ in came])
    assert all(same(found[when], wanted[when]) for when in wanted)
    kept.close()


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


def test_what_a_disk_does_not_give_now_is_not_forgotten_and_is_read_when_it_does(tmp_path, caplog):
    """A folder in the file's place: every look at it fails."""
    folder = tmp_path / "porch"
    kept = archive(folder)
    watch(kept, 0, 120)
    before = bytes_of(opened(kept))
    path = on_disk(kept, folder)[1]
    aside = path.rename(tmp_path / "aside")
    path.mkdir()
    opening = kept.open(kept.steps)
    until(lambda: opening.ready)
    kept.finish(opening)
    came = [each for each in opening.steps(torch.device("cpu")) if each is not None]
    assert 0 < len(came) < len(kept.steps) == 120, "it goes without them"
    assert kept.lost == kept.forgotten == 0
    assert len([x for x in caplog.messages if "cannot be read from disk now" in x]) == 1
    path.rmdir()
    aside.rename(path)
    assert all(same(x, before[when]) for when, x in bytes_of(opened(kept)).items())
    kept.close()


def test_a_disk_that_lets_no_file_go_costs_no_more_than_what_was_to_go(tmp_path, caplog):
    folder = tmp_path / "porch"
    kept = archive(folder, files=12 * RUN)
    watch(kept, 0, 100)
    for path in on_disk(kept, folder):  # a folder in each file's place cannot be unlinked
        path.unlink()
        path.mkdir()
    lying = len(on_disk(kept, folder))
    for number in range(100, 200):
        put(kept, step(number, 15))
        assert all(level.bytes <= level.capacity for level in kept.levels)
    until(lambda: any("cannot be removed" in x for x in caplog.messages))
    for number in range(200, 260):
        put(kept, step(number, 15))
    assert len(on_disk(kept, folder)) >= lying - IN_FLIGHT
    assert len([x for x in caplog.messages if "cannot be removed" in x]) == 1
    kept.close()


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


WRITER = """
import sys
from pathlib import Path
from tests.memory.recall.test_tiers import archive
from tests.memory.recall.steps import put, step
kept = archive(Path(sys.argv[1]), lasting=True)
for number in range(10**6):
    put(kept, step(number, 15))
    print(number, flush=True)
"""


@pytest.mark.parametrize("seed", range(3))
def test_any_interleaving_of_putting_opening_and_moving_gives_what_was_put(tmp_path, seed):
    """Openings are looked at long after; what they give is compared with the steps themselves."""
    draw, number, taken = random.Random(seed), 0, []
    kept = archive(tmp_path / "porch", device=5 * RUN, host=4 * RUN, files=10 * RUN)
    for _ in range(250):
        choice = draw.random()
        if choice < 0.75:
            put(kept, step(number, draw.randint(1, 40)))
            number += 1
        elif choice < 0.9 and kept.steps:
            some = sorted(draw.sample(kept.steps, min(6, len(kept.steps))), key=lambda x: x.time)
            taken.append((kept.open(some), [x.time for x in some], [len(x) for x in some]))
        elif taken:
            look(*taken.pop(draw.randrange(len(taken))))
        assert all(level.bytes <= level.capacity for level in kept.levels)
        assert len(kept.steps) + kept.forgotten == number
    for each in taken:
        look(*each)
    assert kept.lost == 0
    assert kept.forgotten > 0
    kept.close()


def look(opening: Opening, times: list[float], sizes: list[int]) -> None:
    until(lambda: opening.ready)
    came = [each[0] for each in opening.steps(torch.device("cpu")) if each is not None]
    assert [one.time for one in came] == times, "every one came"
    for one, thawed, tokens in zip(came, thaw(came), sizes, strict=True):
        truth = step(int(one.time), tokens - 1)
        assert torch.equal(thawed.values, truth.values)
        assert thawed.positions.tolist() == truth.tokens.positions.tolist()
        assert (thawed.keys - truth.bare).abs().max() < 1e-5, "one turn and back"


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


def test_a_disk_without_host_memory_is_refused(tmp_path):
    with pytest.raises(ValueError, match="host memory"):
        archive(tmp_path / "porch", host=0)


def test_a_disk_that_does_not_answer_is_waited_for_so_long_and_costs_what_it_holds():
    kept = archive()
    watch(kept, 0, 8)
    here, there = kept.steps[0], kept.steps[-1]
    never: Future[torch.Tensor] = Future()
    data = torch.zeros(here.run.layout.nbytes, dtype=torch.uint8)
    opening = Opening(
        [(here.run, here.span), (there.run, there.span)],
        {here.run: (Tier.DEVICE, data), there.run: (Tier.DISK, never)},
        patience_s=0.2,
    )
    assert not opening.ready
    until(lambda: opening.ready)
    came = opening.steps(torch.device("cpu"))
    assert came[0] is not None
    assert came[1] is None
    assert list(opening.damaged()) == [], "late is not damaged"
