"""What a rendered scene truly shows, in the seconds of a stream that began before it."""

from __future__ import annotations

import pytest

from stream.cameras.truth import truth_of
from worlds.catalog import open_world


class Rendered:
    def __init__(self) -> None:
        self.world = open_world("desk", 3)


@pytest.mark.parametrize("offset", [0.0, 3600.5])
def test_the_truth_moves_with_the_stream_and_is_otherwise_that_of_the_world(offset):
    plain = open_world("desk", 3).truth(75.0)
    told = truth_of(Rendered(), 75.0 + offset, offset)
    assert told is not None
    assert plain["objects"] and plain["events"]
    assert told["t"] == 75.0 + offset
    for key, time in (("objects", "appeared"), ("events", "t")):
        for one, other in zip(told[key], plain[key], strict=True):
            assert one[time] == pytest.approx(other[time] + offset, abs=0.011)
            assert {**one, time: 0} == {**other, time: 0}


def test_nobody_knows_the_truth_of_a_real_camera_or_before_the_first_frame():
    assert truth_of(object(), 3.0, 0.0) is None
    assert truth_of(None, 3.0, 0.0) is None
    assert truth_of(Rendered(), None, 0.0) is None
