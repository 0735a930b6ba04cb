"""Turned pictures, and truths that turn with them."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.clips.kinds import WAYS, turned
from evaluation.clips.views import ViewedSource, dark, turn
from stream.sources import EndOfSource, MaxPace, open_source
from stream.sources.sampler import Sampler
from tests.evaluation.clips.film import SIDE, write_film

STEPS = {"up": (-1, 0), "left": (0, -1), "down": (1, 0), "right": (0, 1)}  # rows, columns


def spot(at: tuple[int, int]) -> np.ndarray:
    pixels = np.zeros((9, 15, 3), np.uint8)
    pixels[at] = 255
    return pixels


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("quarters", range(4))
def test_what_moves_one_way_moves_the_turned_way_in_a_turned_picture(way, quarters):
    rows, columns = STEPS[way]
    view = turn(quarters)
    before, after = (
        np.argwhere(view(spot((4 + rows * k, 7 + columns * k))).any(2))[0] for k in (0, 1)
    )
    assert tuple(after - before) == STEPS[turned(way, quarters)]


def test_four_quarters_are_no_turn():
    assert [turned(way, 4) for way in WAYS] == list(WAYS)
    assert np.array_equal(turn(4)(spot((1, 2))), spot((1, 2)))


async def frames_of(source: ViewedSource) -> list[np.ndarray]:
    await source.open(Sampler(2))
    found = []
    try:
        while True:
            found.append((await source.recv()).pixels)
    except EndOfSource:
        return found
    finally:
        await source.close()


async def test_a_file_seen_through_a_view_keeps_its_frames_and_changes_their_pictures(tmp_path):
    film = write_film(tmp_path / "film.mp4")
    plain, left, black = [
        await frames_of(ViewedSource(open_source(f"file:{film}", pace=MaxPace()), view))
        for view in (turn(0), turn(1), dark)
    ]
    assert len(plain) == len(left) == len(black) == 10
    for one, other, nothing in zip(plain, left, black, strict=True):
        assert np.array_equal(np.rot90(one), other) and other.flags.c_contiguous
        assert nothing.shape == (SIDE, SIDE, 3) and not nothing.any()
