from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.cameras.ladder import EDGE, RUNGS, SLOWER, STUBBORN, Ladder, Overload, Rung

OVERLOAD = Overload(target_lag_s=1.0, patience_s=3.0)
REST = SLOWER * OVERLOAD.patience_s  # seconds well below the target before the first try
lags = st.lists(st.tuples(st.floats(0.01, 5), st.floats(0, 4)), max_size=120)  # (pause, lag)
left_out = st.frozensets(st.sampled_from(RUNGS[1:]), max_size=4)


def play(ladder: Ladder, samples, start: float = 0.0) -> list[tuple[float, Rung]]:
    """The rung after each sample."""
    now, seen = start, []
    for pause, lag in samples:
        now += pause
        ladder.note(lag, now)
        seen.append((now, ladder.rung))
    return seen


def steady(lag: float, seconds: float, every: float = 0.5) -> list[tuple[float, float]]:
    return [(every, lag)] * round(seconds / every)


@given(samples=lags, useless=left_out)
def test_it_moves_one_useful_rung_at_a_time_and_counts_each_move(samples, useless):
    ladder = Ladder(OVERLOAD)
    ladder.leave_out(useless)
    rungs = [rung for rung in RUNGS if rung not in useless]
    seen = [Rung.NONE, *(rung for _, rung in play(ladder, samples))]
    moves = [(a, b) for a, b in pairwise(seen) if a is not b]
    assert all(abs(rungs.index(a) - rungs.index(b)) == 1 for a, b in moves)
    assert ladder.changes == len(moves)


@given(samples=lags)
def test_never_up_before_the_lag_was_high_throughout_the_patience(samples):
    ladder, now, high = Ladder(OVERLOAD), 0.0, None
    for pause, lag in samples:
        now += pause
        high = (now if high is None else high) if lag > 1.0 else None
        before = RUNGS.index(ladder.rung)
        ladder.note(lag, now)
        if RUNGS.index(ladder.rung) > before:
            assert high is not None
            assert now - high >= 3.0
            high = now


@given(samples=lags)
def test_never_down_before_the_lag_was_at_the_target_or_below_throughout_the_rest(samples):
    ladder, now = Ladder(OVERLOAD), 0.0
    play(ladder, steady(5.0, 20))
    now = well_since = 20.0
    for pause, lag in samples:
        now += pause
        before = ladder.rung
        ladder.note(lag, now)
        if lag > 1.0:
            well_since = now
        if RUNGS.index(ladder.rung) < RUNGS.index(before):
            assert now - well_since >= REST
            well_since = now


@given(
    samples=lags, lags=st.lists(st.floats(0, 1.0), min_size=1, max_size=9), every=st.floats(0.05, 8)
)
def test_what_would_not_be_needed_is_taken_back_in_bounded_time(samples, lags, every):
    """Also where the lag never gets clearly below the target, and whatever came before."""
    ladder = Ladder(OVERLOAD)
    seen = play(ladder, [*steady(5.0, 20), *samples])
    start = seen[-1][0]
    longest = len(RUNGS[1:]) * (STUBBORN * REST / EDGE + 2 * every)
    rest = [(every, lags[n % len(lags)]) for n in range(round(longest / every))]
    assert play(ladder, rest, start)[-1][1] is Rung.NONE


def test_lag_that_is_only_just_below_the_target_takes_four_times_as_long_to_come_down():
    times = {}
    for lag in (0.5, 1.0):
        ladder = Ladder(OVERLOAD)
        play(ladder, steady(5.0, 3.5))
        assert ladder.rung is Rung.FPS
        seen = play(ladder, steady(lag, 100))
        times[lag] = next(now for now, rung in seen if rung is Rung.NONE)
    assert times[0.5] == pytest.approx(REST, abs=1)
    assert times[1.0] == pytest.approx(4 * REST, abs=1)


@given(
    needed=st.sampled_from(RUNGS[1:]),
    well=st.floats(0, 1.0),
    builds_s=st.floats(0, 600),
    every=st.sampled_from([0.5, 2.0]),
)
@settings(max_examples=40, deadline=None)
def test_under_a_load_that_is_too_much_for_good_changes_are_bounded(needed, well, builds_s, every):
    """However slowly the lag builds up when too little is given up."""
    ladder, now, lag, hours = Ladder(OVERLOAD), 0.0, 0.0, 6
    growth = 1.1 / (builds_s + every) * every
    while now < hours * 3600:
        now += every
        enough = RUNGS.index(ladder.rung) >= RUNGS.index(needed)
        lag = well if enough else max(lag + growth, well)
        ladder.note(lag, now)
    tries = now / (STUBBORN * REST) + 2 * math.log2(STUBBORN) + 2
    assert ladder.changes <= 2 * RUNGS.index(needed) * tries


def test_a_camera_that_keeps_lagging_gives_up_one_thing_after_the_other():
    ladder = Ladder(OVERLOAD)
    seen = [rung for _, rung in play(ladder, steady(3.0, 20))]
    assert list(dict.fromkeys(seen)) == list(RUNGS)
    assert ladder.rung is Rung.SKIP
    assert ladder.changes == 4, "at the top there is nothing more to give up"
    assert all(ladder.gives_up(rung) for rung in RUNGS)


def test_recovery_takes_all_back_in_reverse():
    ladder = Ladder(OVERLOAD)
    play(ladder, steady(3.0, 20))
    seen = [rung for _, rung in play(ladder, steady(0.1, 120), start=20)]
    assert list(dict.fromkeys(seen)) == list(reversed(RUNGS))
    assert not any(ladder.gives_up(rung) for rung in RUNGS[1:])


def test_one_slow_segment_changes_nothing():
    ladder = Ladder(OVERLOAD)
    play(ladder, [*steady(0.1, 10), (0.5, 60.0), *steady(0.1, 10)])
    assert ladder.changes == 0


def test_one_slow_segment_begins_the_rest_anew():
    ladder = Ladder(OVERLOAD)
    play(ladder, steady(5.0, 3.5))
    well = steady(0.1, REST - 1)
    play(ladder, [*well, (0.5, 60.0), *well], start=3.5)
    assert ladder.rung is Rung.FPS
    play(ladder, steady(0.1, 2), start=4.0 + 2 * (REST - 1))
    assert ladder.rung is Rung.NONE


def test_who_relapses_again_and_again_stays_up_longer_each_time_but_not_for_ever():
    """A load that fits only while something is given up must not swing every few seconds."""
    ladder, now, since, stays = Ladder(OVERLOAD), 0.0, 0.0, []
    for _ in range(40_000):
        now += 0.5
        before = ladder.rung
        ladder.note(0.1 if before is Rung.FPS else 3.0, now)
        if ladder.rung is not before:
            if before is Rung.FPS:
                stays.append(now - since)
            since = now
    assert stays == sorted(stays)
    assert stays[0] <= 12.5
    assert stays[-1] == pytest.approx(STUBBORN * 12, abs=1)


@pytest.mark.parametrize("needed", [Rung.FPS, Rung.BUDGET])
def test_a_load_that_is_only_just_too_much_does_not_swing_every_minute_either(needed):
    """Lag that takes a minute to build up once all was taken back."""
    ladder, now, lag = Ladder(OVERLOAD), 0.0, 0.0
    for _ in range(6 * 3600):
        now += 0.5
        short = RUNGS.index(needed) - RUNGS.index(ladder.rung)
        lag = max(0.1, lag + (0.01 * short if short > 0 else -0.2))
        ladder.note(lag, now)
    swing = 2 * RUNGS.index(needed)  # all the way down and up again
    assert ladder.changes <= swing * (now / (STUBBORN * 12) + 10)


@given(useless=left_out)
def test_what_would_change_nothing_is_passed_over_and_never_called_given_up(useless):
    ladder = Ladder(OVERLOAD)
    ladder.leave_out(useless)
    seen = {rung for _, rung in play(ladder, steady(3.0, 30))}
    assert not seen & useless
    assert not any(ladder.gives_up(rung) for rung in useless)


@pytest.mark.parametrize(("target", "patience"), [(0, 1), (1, 0), (-1, 1)])
def test_a_target_and_a_patience_are_positive(target, patience):
    with pytest.raises(ValueError, match="positive"):
        Overload(target, patience)
