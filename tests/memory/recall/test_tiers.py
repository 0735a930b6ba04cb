"""Runs in three tiers: the same bytes wherever they lie, never more of them than was said."""

from __future__ import annotations

import random
from concurrent.futures import Future

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.codecs.block import Block
from memory.codecs.plain import Plain
from memory.recall.archive import Archive
from memory.recall.opening import Opening
from memory.recall.step import thaw
from memory.recall.tiers import IN_FLIGHT, Tier
from tests.memory.recall.steps import ROTATION, SHAPE, landmarks, opened, put, step
from tests.memory.recall.tiered import RUN, archive, bytes_of, on_disk, same, tiers, until, watch

torch.set_num_threads(1)


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
