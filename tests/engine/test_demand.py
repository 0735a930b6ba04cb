"""What cameras need together, worked out by hand."""

from __future__ import annotations

import math

import pytest

from engine.demand import Room, Stream
from engine.pace import Cost

ROOM = Room(prefill_tokens=1000, encode_tokens=2000, full_ms=200.0, step_frames=2, segment_frames=4)
COST = Cost(step=20.0, prefilled=0.1, encoded=0.2)
STREAM = Stream(fps=4.0, encoded=100.0, prefilled=50.0)
WORK = 25.0  # ms of a frame
FRAME = WORK + 20 * WORK / 180  # ... with its part of the fixed one: 180 ms of a step are left


def test_a_camera_needs_its_work_and_its_part_of_what_is_fixed() -> None:
    assert ROOM.load(STREAM, COST) == pytest.approx(4 * FRAME / 1000)


@pytest.mark.parametrize(
    ("room", "part"),
    [
        (Room(50, 2000, math.inf), 1.0),  # a frame fills what a step reads
        (Room(1000, 200, math.inf), 0.5),  # two frames fill what it sees
        (Room(1000, 2000, 30.0), WORK / 20),  # steps are half what they cost to be steps
    ],
)
def test_whichever_is_full_first_says_how_many_share_a_step(room: Room, part: float) -> None:
    assert room.load(STREAM, COST) == pytest.approx(4 * (WORK + 20 * part) / 1000)


def test_frames_that_come_at_once_are_seen_and_read_one_after_the_other() -> None:
    """Two of each camera, two steps' fixed parts, and the step in which the last one is read."""
    few, many = [STREAM] * 3, [STREAM] * 10
    assert ROOM.burst_s(few, COST) == pytest.approx((6 * FRAME + 40 + 6 * FRAME) / 1000)
    assert ROOM.burst_s(many, COST) == pytest.approx((20 * FRAME + 40 + 200) / 1000)
    assert ROOM.burst_s([*few, Stream(0.0, 100.0, 50.0)], COST) == ROOM.burst_s(few, COST)


def test_turns_come_more_rarely_the_busier_all_are() -> None:
    assert ROOM.round_s([STREAM] * 4, COST, 0.8) == pytest.approx(3 * 0.02 / (1 - 0.4 / 0.8))
    assert ROOM.round_s([STREAM], COST, 0.8) == pytest.approx(0.02 / (1 - 0.1 / 0.8))
    assert ROOM.round_s([STREAM] * 8, COST, 0.8) == math.inf
    assert ROOM.longest_round_s(STREAM) == 1.0
    assert ROOM.longest_round_s(Stream(0.0, 100.0, 50.0)) == math.inf
