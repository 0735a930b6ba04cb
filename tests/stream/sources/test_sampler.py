import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.sources.sampler import Sampler

rates = st.floats(0.2, 60)
gaps = st.lists(st.floats(0.001, 3), min_size=1, max_size=200)


def rising(gaps: list[float], start: float = 0.0) -> list[float]:
    times = [start]
    for gap in gaps:
        times.append(times[-1] + gap)
    return times


@given(rates, gaps, st.floats(0, 1e5))
def test_the_first_frame_is_always_taken(fps: float, gaps: list[float], start: float) -> None:
    assert Sampler(fps).wants(rising(gaps, start)[0])


@given(rates, gaps)
def test_never_more_frames_than_the_rate_allows(fps: float, gaps: list[float]) -> None:
    sampler, times = Sampler(fps), rising(gaps)
    taken = sum(sampler.wants(pts) for pts in times)
    assert taken <= math.floor((times[-1] - times[0]) * fps + 0.5) + 1


@given(rates, gaps)
def test_no_cell_of_the_grid_that_has_a_frame_goes_without_one(
    fps: float, gaps: list[float]
) -> None:
    sampler, times = Sampler(fps), rising(gaps)
    taken = [pts for pts in times if sampler.wants(pts)]
    for before, after in pairwise(taken):
        skipped = [pts for pts in times if before < pts < after]
        assert all(pts - before < 1.5 / fps for pts in skipped)


@given(rates, st.integers(2, 200), st.randoms(use_true_random=False))
def test_a_stream_at_the_wanted_rate_is_taken_whole_in_spite_of_jitter(fps, count, random) -> None:
    sampler = Sampler(fps)
    times = [0.0] + [(i + random.uniform(-0.15, 0.15)) / fps for i in range(1, count)]
    assert all(sampler.wants(pts) for pts in times)


@given(rates, st.floats(0.1, 1.0))
def test_a_slower_stream_is_taken_whole(fps: float, share: float) -> None:
    sampler = Sampler(fps)
    assert all(sampler.wants(i / (fps * share)) for i in range(50))


@pytest.mark.parametrize(("source", "wanted"), [(25, 10), (30, 10), (30, 4), (25, 2), (15, 5)])
def test_the_mean_rate_is_the_wanted_one_whatever_the_source_has(source: int, wanted: int) -> None:
    sampler = Sampler(wanted)
    taken = sum(sampler.wants(i / source) for i in range(source * 20))
    assert abs(taken - wanted * 20) <= 1


@pytest.mark.parametrize(("source", "wanted"), [(25, 5), (30, 10), (20, 10), (24, 2), (60, 4)])
def test_where_the_rates_divide_the_frames_lie_on_the_grid(source: int, wanted: int) -> None:
    sampler = Sampler(wanted)
    taken = [i for i in range(source * 4) if sampler.wants(100 + i / source)]
    assert taken == list(range(0, source * 4, source // wanted))


@given(rates)
def test_lost_frames_do_not_shift_the_grid(fps: float) -> None:
    whole, holed = Sampler(fps), Sampler(fps)
    times = [i / (fps * 4) for i in range(400)]
    expected = {pts for pts in times if whole.wants(pts)}
    kept = [pts for i, pts in enumerate(times) if not 100 < i < 200]
    got = {pts for pts in kept if holed.wants(pts)}
    after = times[210]
    assert {pts for pts in got if pts > after} == {pts for pts in expected if pts > after}


def test_a_clock_that_jumps_back_starts_a_new_grid() -> None:
    sampler = Sampler(2)
    assert sampler.wants(1000.0)
    assert sampler.wants(3.0)
    assert not sampler.wants(3.1)
    assert sampler.wants(3.5)


def test_a_small_disorder_takes_nothing_twice() -> None:
    sampler = Sampler(2)
    assert sampler.wants(0.0)
    assert sampler.wants(0.5)
    assert not sampler.wants(0.4)
    assert not sampler.wants(0.45)
    assert sampler.wants(1.0)


@pytest.mark.parametrize("fps", [0, -1, math.inf, math.nan])
def test_a_rate_that_is_none_is_refused(fps: float) -> None:
    with pytest.raises(ValueError, match="fps"):
        Sampler(fps)


@given(rates, rates, st.integers(1, 200))
def test_a_rate_that_changes_on_the_way_holds_from_the_frame_taken_last_on(
    before: float, after: float, frames: int
) -> None:
    sampler = Sampler(before)
    times = [n / 120 for n in range(frames + 1200)]
    taken = [pts for pts in times[:frames] if sampler.wants(pts)]
    sampler.retune(after)
    later = [pts for pts in times[frames:] if sampler.wants(pts)]
    stretch = times[-1] - times[frames - 1]
    assert abs(len(later) - stretch * after) <= 2
    if later:
        assert later[0] - taken[-1] >= max(1 / after - 2 / 120, 1 / 120) - 1e-9


@pytest.mark.parametrize("fps", [0, -1, math.nan, math.inf])
def test_a_rate_is_a_positive_number_also_when_it_changes(fps: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        Sampler(4).retune(fps)
