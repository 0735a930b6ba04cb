"""Intervals and the test between two models, against figures worked out by hand."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import DataError
from evaluation.paired.comparison import McNemar, mcnemar, require_same
from evaluation.paired.layouts import LAYOUTS
from evaluation.paired.shares import Share
from tests.evaluation.paired.cases import instance, judged, measured, pair, rows


def test_wilsons_interval_has_the_textbook_values():
    assert Share(0, 10, 0.5).interval == pytest.approx((0, 0.27753), abs=1e-5)
    assert Share(10, 10, 0.5).interval == pytest.approx((0.72247, 1), abs=1e-5)
    assert Share(81, 263, 0.5).interval == pytest.approx((0.2553, 0.3662), abs=1e-4)


@given(st.integers(0, 300), st.integers(1, 300))
def test_wilsons_bounds_solve_its_equation(right, n):
    share = Share(min(right, n), n, 0.5)
    for bound in share.interval:
        if 0 < bound < 1:
            z = (share.value - bound) / (bound * (1 - bound) / n) ** 0.5
            assert abs(z) == pytest.approx(1.959964, rel=1e-4)


def test_more_trials_narrow_the_interval():
    widths = [high - low for low, high in (Share(n // 2, n, 0.5).interval for n in (10, 100, 1000))]
    assert widths == sorted(widths, reverse=True)


@given(st.integers(0, 9), st.integers(0, 9))
def test_mcnemar_is_the_share_of_coin_flips_that_split_as_unevenly(first, second):
    n = first + second
    if n > 11:
        return
    flips = [sum(coins) for coins in product((0, 1), repeat=n)]
    uneven = sum(abs(2 * heads - n) >= abs(first - second) for heads in flips)
    assert McNemar(first, second).p == pytest.approx(uneven / len(flips))


def test_mcnemar_holds_for_thousands_of_pairs():
    assert McNemar(3000, 3000).p == 1
    assert 0 <= McNemar(6000, 0).p < 1e-300


def test_mcnemar_counts_whole_pairs():
    ways = ("left", "right")
    first = judged([*pair("p", ways, ways), *pair("q", ways, ("left", "left"))])
    second = judged([*pair("p", ways, ("up", "right")), *pair("q", ways, ("up", "up"))])
    assert mcnemar(first, second) == McNemar(1, 0)
    assert mcnemar(second, first) == McNemar(0, 1)
    assert mcnemar(first, first) == McNemar(0, 0)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (pair("q", ("left", "up"), ("up", "up")), "'p' is in one of the two files only"),
        (pair("p", ("left", "down"), ("up", "up")), "answers:2: 'p' is another question"),
    ],
)
def test_files_about_other_questions_are_not_compared(other, message):
    groups = LAYOUTS["dybench"].groups
    ours = groups(rows(pair("p", ("left", "up"), ("up", "up"))))
    with pytest.raises(DataError, match=message):
        require_same(ours, groups(rows(other)))


def test_chance_of_pairs_falls_with_the_square_of_the_choices():
    kinds = {2: ("left", "right"), 3: ("left", "right", "up"), 4: ("left", "right", "up", "down")}
    for n, options in kinds.items():
        found = measured(pair("p", ("left", "right"), ("left", "left"), options))
        assert found["acc"].chance == pytest.approx(1 / n)
        assert found["p_acc"].chance == pytest.approx(1 / n**2)


def test_chance_of_instances():
    found = measured(instance(0, ["yes"] * 4), "timeblind")
    assert {name: share.chance for name, share in found.items()} == {
        "acc": 0.5,
        "q_acc": 0.25,
        "v_acc": 0.25,
        "i_acc": 0.0625,
    }
