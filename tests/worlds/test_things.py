"""Things: looks, motions and places at a time, and the events that follow from them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worlds.things import INVERSE, Look, Thing, Track

CROSSING = Track((10.0, 20.0), (-0.5, 1.5), (0.5, 0.5), (0.1, 0.1), (0.0, 0.0))
RED = Look("circle", "red")


@pytest.mark.parametrize("kind", sorted(INVERSE))
def test_time_that_runs_backwards_twice_runs_forwards(kind):
    assert INVERSE[INVERSE[kind]] == kind


def test_only_what_looks_the_same_backwards_is_its_own_inverse():
    own = {kind for kind, back in INVERSE.items() if kind == back}
    assert own == {"changed colour", "changed number", "jumped", "collided"}


@pytest.mark.parametrize(
    ("look", "name"),
    [
        (RED, "red circle"),
        (Look("hammer"), "hammer"),
        (Look("sign", "yellow", "42"), "sign"),
        (Look("box", "", "open"), "box"),
    ],
)
def test_a_look_is_called_what_an_answer_calls_it(look, name):
    assert look.name == name


def test_a_thing_comes_into_view_and_leaves_when_its_centre_crosses_the_edge():
    thing = Thing(10, 20, CROSSING, ((10, RED),))
    assert thing.appears == pytest.approx(12.5, abs=0.03)
    assert thing.leaves == pytest.approx(17.5, abs=0.03)
    assert [event.kind for event in thing.events] == ["appeared", "left"]
    assert not thing.seen(11)
    assert thing.seen(15)
    assert not thing.seen(19)


def test_a_thing_that_is_born_in_the_picture_appears_then_and_leaves_when_gone():
    thing = Thing(3, 9, Track.resting(0.4, 0.6, 0.1), ((3, RED),))
    assert (thing.appears, thing.leaves) == (3, 9)
    assert thing.exists(3)
    assert not thing.exists(9)


def test_a_thing_that_never_shows_leaves_as_it_goes():
    thing = Thing(3, 9, Track.resting(1.4, 0.6, 0.1), ((3, RED),))
    assert thing.appears == thing.leaves == thing.gone


def test_helpers_have_no_events_of_their_own():
    for noun in ("hand", "cover"):
        assert Thing(3, 9, Track.resting(0.4, 0.6, 0.1), ((3, Look(noun)),)).events == ()


def test_marks_stand_in_order_among_coming_and_going():
    marks = ((14.0, "grew", ""), (13.0, "jumped", ""))
    thing = Thing(10, 20, CROSSING, ((10, RED),), marks=marks)
    assert [event.kind for event in thing.events] == ["appeared", "jumped", "grew", "left"]


@given(st.floats(0, 30, allow_nan=False))
def test_looks_and_motions_hold_from_their_moment_on(t):
    looks = ((10, Look("lamp", "", "off")), (15, Look("lamp", "", "on")))
    motions = ((10, "still"), (12, "carried"), (18, "still"))
    thing = Thing(10, 20, CROSSING, looks, motions)
    assert thing.look(t).state == ("on" if t >= 15 else "off")
    assert thing.motion(t) == ("carried" if 12 <= t < 18 else "still")


@given(st.floats(10, 20), st.floats(0.01, 5))
def test_a_straight_way_is_walked_evenly(t, dt):
    thing = Thing(10, 20, CROSSING, ((10, RED),))
    if t + dt <= 20:
        assert thing.at(t + dt)[0] - thing.at(t)[0] == pytest.approx(0.2 * dt)


@given(st.floats(10, 20))
def test_a_covered_thing_is_known_to_be_covered_until_it_is_uncovered(t):
    marks = ((12.0, "covered", ""), (16.0, "uncovered", ""))
    thing = Thing(10, 20, CROSSING, ((10, RED),), marks=marks)
    assert thing.covered(t) == (12 <= t < 16)
    assert not Thing(10, 20, CROSSING, ((10, RED),), marks=((11.0, "jumped", ""),)).covered(t)
