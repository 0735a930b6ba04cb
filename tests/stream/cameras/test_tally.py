from __future__ import annotations

import numpy as np
import pytest

from core.frames import Frame, Segment
from engine.requests import Perceived
from stream.cameras.tally import LAGS, Tally

PIXELS = np.zeros((2, 2, 3), np.uint8)


def segment(*times: float) -> Segment:
    """Frames that arrived 100 s after their pts on the monotonic clock."""
    return Segment(0, tuple(Frame(pts, 100 + pts, PIXELS) for pts in times))


def entered(frames: int) -> Perceived:
    return Perceived(frames, 10 * frames, 5 * frames, 0, 50, 60, None, 0.0)


def test_lag_is_that_of_the_newest_frame_that_entered_memory():
    tally, one = Tally(), segment(0.0, 1.0)
    tally.sent(one)
    tally.remembered(one, entered(2), now=103.0)
    assert (tally.newest_pts, tally.newest_arrived, tally.lag_s) == (1.0, 101.0, 2.0)
    assert (tally.segments, tally.frames_remembered, tally.tokens_kept) == (1, 2, 10)


def test_frames_that_a_look_ahead_policy_holds_back_are_not_remembered_yet():
    tally, one, two = Tally(), segment(0.0, 1.0), segment(2.0, 3.0)
    tally.sent(one)
    tally.remembered(one, entered(0), now=102.0)
    assert (tally.newest_pts, tally.lag_s) == (None, None)
    tally.sent(two)
    tally.remembered(two, entered(2), now=104.0)
    assert (tally.newest_pts, tally.lag_s) == (1.0, 3.0)
    tally.sent(None)
    tally.remembered(None, entered(2), now=105.0)
    assert (tally.newest_pts, tally.segments, tally.frames_remembered) == (3.0, 2, 4)


def test_a_lost_segment_takes_its_own_frames_along_and_no_others():
    tally, held, lost, next_one = Tally(), segment(0.0, 1.0), segment(2.0, 3.0), segment(4.0, 5.0)
    tally.sent(held)
    tally.remembered(held, entered(0), now=102.0)
    tally.sent(lost)
    tally.forgot(lost)
    tally.sent(next_one)
    tally.remembered(next_one, entered(2), now=106.0)
    assert (tally.newest_pts, tally.lost) == (1.0, 1)
    tally.sent(None)
    tally.forgot(None)
    assert tally.lost == 1, "the end of a stream is no segment"


def test_the_percentile_is_the_nearest_rank_of_the_newest_lags():
    tally = Tally()
    assert tally.lag_percentile(0.95) is None
    for number in range(2 * LAGS):
        one = segment(float(number))
        tally.sent(one)
        tally.remembered(one, entered(1), now=100.0 + number + number)
    ranked = sorted(range(LAGS, 2 * LAGS))
    assert tally.lag_percentile(0.5) == pytest.approx(ranked[LAGS // 2 - 1])
    assert tally.lag_percentile(1.0) == pytest.approx(ranked[-1])
    assert tally.lag_percentile(0.0) == pytest.approx(ranked[0])
