"""Where thawed steps stand, for any archive and any room."""

from __future__ import annotations

import itertools

import torch
from hypothesis import given
from hypothesis import strategies as st

from memory.codecs.frozen import freeze
from memory.codecs.plain import Plain
from memory.recall.placing import place, squeezed
from memory.recall.step import Step
from tests.memory.recall.steps import HEADS, LAYERS, D

ONE = torch.zeros(LAYERS, HEADS, 1, D)
RUN = freeze(Plain(), ONE, ONE, torch.zeros(1, 3, dtype=torch.int64))  # that nobody thaws


def at(base: int, size: int) -> Step:
    return Step(RUN, 0, 1, float(base), base, size)


@st.composite
def cases(draw):
    """Steps one after the other, gaps between them, before a ceiling; and a floor."""
    lengths = draw(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 10**6)), max_size=12))
    base, steps = draw(st.integers(0, 10**9)), []
    for size, gap in lengths:
        steps.append(at(base, size))
        base += size + gap
    room = draw(st.integers(0, 6000))
    return steps, base - room, base


@given(cases())
def test_steps_stand_in_range_in_order_and_apart_or_cannot_fit(case):
    steps, floor, ceiling = case
    bases = place(steps, floor, ceiling)
    if sum(one.size for one in steps) > ceiling - floor:
        assert bases is None
        return
    assert bases is not None
    ends = [base + one.size for base, one in zip(bases, steps, strict=True)]
    assert all(floor <= base for base in bases)
    assert all(end <= ceiling for end in ends)
    assert all(end <= base for end, base in zip(ends, bases[1:], strict=False))
    assert all(
        base >= one.base or ceiling - one.base <= ceiling - floor
        for base, one in zip(bases, steps, strict=True)
    ), "a step never seems older than it is"


@given(cases())
def test_with_room_for_all_of_them_steps_stand_where_they_stood(case):
    steps, _, ceiling = case
    floor = min((one.base for one in steps), default=ceiling)
    assert place(steps, floor, ceiling) == [one.base for one in steps]


@given(cases())
def test_young_steps_keep_their_distance_exactly_unless_older_ones_need_the_room(case):
    steps, floor, ceiling = case
    bases = place(steps, floor, ceiling)
    if bases is None:
        return
    needed = sum(one.size for one in steps)
    exact = (ceiling - floor) // 2
    for one, base in zip(steps, bases, strict=True):
        if ceiling - one.base <= exact and floor + needed <= ceiling - exact:
            assert base == one.base


@given(
    exact=st.integers(0, 3000),
    more=st.integers(0, 3000),
    beyond=st.integers(0, 10**9),
    ages=st.lists(st.integers(0, 10**9), min_size=2, max_size=30),
)
def test_squeezing_is_monotone_and_stays_within_age_and_room(exact, more, beyond, ages):
    room = exact + more
    oldest = max([*ages, room + beyond])
    found = [squeezed(age, exact, room, oldest) for age in sorted(ages)]
    assert all(one <= other for one, other in itertools.pairwise(found))
    for age, new in zip(sorted(ages), found, strict=True):
        assert 0 <= new <= min(age, room)
        if age <= exact:
            assert new == age


def test_the_oldest_age_takes_the_end_of_the_room_and_half_of_the_logarithm_half_of_it():
    assert squeezed(10**6, 100, 300, 10**6) == 300
    assert squeezed(100, 100, 300, 10**6) == 100
    assert squeezed(10**4, 100, 300, 10**6) == 200


def test_months_take_no_more_room_than_hours():
    """A step every minute for 60 days, of which a question reads some."""
    now = 60 * 24 * 60 * 1000
    steps = [at(now - 1000 * minutes, 30) for minutes in (86_000, 43_000, 10_000, 900, 60, 2)]
    bases = place(steps, now - 4096, now)
    assert bases is not None
    assert now - bases[0] <= 4096
    assert sorted(bases) == bases
    assert now - bases[-1] == 2000, "what is young stays where it was"
