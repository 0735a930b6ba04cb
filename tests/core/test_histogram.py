from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.histogram import SECONDS, Histogram

numbers = st.lists(st.floats(0, 100), max_size=60)


@given(numbers)
def test_each_bound_counts_what_is_at_most_as_large(seen):
    histogram = Histogram()
    for number in seen:
        histogram.note(number)
    counts = histogram.counts
    expected = [sum(number <= bound for number in seen) for bound in (*SECONDS, math.inf)]
    assert list(counts.cumulative()) == expected
    assert counts.number == len(seen)
    assert counts.total == pytest.approx(sum(seen))


@given(numbers, numbers)
def test_adding_one_histogram_to_another_is_having_seen_both(one, other):
    left, right, both = Histogram(), Histogram(), Histogram()
    for number in one:
        left.note(number)
        both.note(number)
    for number in other:
        right.note(number)
        both.note(number)
    before = right.counts
    left.add(before)
    assert left.counts.counts == both.counts.counts
    assert left.counts.total == pytest.approx(both.counts.total)
    assert right.counts == before


def test_histograms_of_other_bounds_are_not_added():
    with pytest.raises(ValueError, match="other bounds"):
        Histogram().add(Histogram((1.0, 2.0)).counts)


@pytest.mark.parametrize("bounds", [(), (2.0, 1.0), (1.0, 1.0)])
def test_bounds_rise(bounds):
    with pytest.raises(ValueError, match="rise"):
        Histogram(bounds)
