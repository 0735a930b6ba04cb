from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.sources.timeline import Timeline

steps = st.lists(
    st.tuples(
        st.floats(-1e6, 1e6),  # the source's clock, anything at all
        st.floats(0, 100),  # time that passed
        st.booleans(),  # a new connection
    ),
    min_size=2,
    max_size=60,
)


@given(steps, st.booleans())
def test_pts_rise_whatever_the_source_says(steps: list[tuple[float, float, bool]], live) -> None:
    timeline, now, placed = Timeline(), 50.0, []
    for pts, passed, anew in steps:
        now += passed
        if anew:
            timeline.connect(live=live)
        placed.append(timeline.place(pts, now))
    assert placed[0] == 0.0
    assert all(before < after for before, after in pairwise(placed))


@given(st.floats(-1e5, 1e5), st.lists(st.floats(0.01, 9), min_size=1, max_size=50))
def test_inside_a_connection_differences_are_kept(start: float, gaps: list[float]) -> None:
    timeline, pts = Timeline(), start
    timeline.connect(live=True)
    assert timeline.place(pts, 7.0) == 0.0
    for gap in gaps:
        pts += gap
        assert timeline.place(pts, 7.0 + pts - start) == pytest.approx(pts - start, abs=1e-6)


def test_a_reconnection_goes_on_by_the_time_that_passed() -> None:
    timeline = Timeline()
    timeline.connect(live=True)
    timeline.place(100.0, 10.0)
    timeline.place(101.0, 11.0)
    timeline.connect(live=True)
    assert timeline.place(0.0, 31.0) == pytest.approx(21.0)
    assert timeline.place(0.5, 31.5) == pytest.approx(21.5)


@pytest.mark.parametrize("jump", [-500.0, -0.5, 0.0, 10.5, 4e5])
def test_a_jump_of_a_live_clock_is_bridged_by_the_time_that_passed(jump: float) -> None:
    timeline = Timeline()
    timeline.connect(live=True)
    timeline.place(1000.0, 10.0)
    assert timeline.place(1000.0 + jump, 10.25) == pytest.approx(0.25)
    assert timeline.place(1000.5 + jump, 10.75) == pytest.approx(0.75)


@given(st.lists(st.floats(0.0, 3.0), min_size=1, max_size=40))
def test_bursts_at_the_beginning_do_not_add_up(bursts: list[float]) -> None:
    timeline, now = Timeline(), 100.0
    for burst in bursts:
        timeline.connect(live=True)
        for step in range(51):  # the burst at once, then two seconds in time
            pts = step * 0.1
            arrived = now + max(0.0, pts - burst)
            placed = timeline.place(pts, arrived)
        now = arrived + 5.0
    assert arrived - 100.0 - 0.5 <= placed <= arrived - 100.0 + max(bursts) + 0.5


def test_a_frozen_camera_whose_clock_ran_on_is_no_jump() -> None:
    timeline = Timeline()
    timeline.connect(live=True)
    timeline.place(0.0, 10.0)
    assert timeline.place(60.0, 70.5) == pytest.approx(60.0)


def test_a_long_gap_in_a_file_is_kept() -> None:
    timeline = Timeline()
    timeline.connect(live=False)
    timeline.place(0.0, 10.0)
    assert timeline.place(60.0, 10.01) == pytest.approx(60.0)


@given(st.floats(0, 1e7), st.floats(-1e7, 40.0), st.floats(-1e6, 1e6), st.booleans())
def test_a_timeline_that_resumes_goes_on_by_the_time_that_passed(pts, arrived, source, live):
    timeline = Timeline()
    timeline.resume(pts, arrived)
    timeline.connect(live=live)
    first = timeline.place(source, 50.0)
    assert first == pytest.approx(pts + 50.0 - arrived, abs=1e-6)
    assert first > pts
    assert timeline.place(source + 0.25, 50.25) == pytest.approx(first + 0.25, abs=1e-6)
    assert timeline.offset == pytest.approx(first - source, abs=1e-6)
