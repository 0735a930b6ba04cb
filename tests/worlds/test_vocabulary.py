"""The vocabulary: names of places, and which pairs are never trained on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worlds.vocabulary import (
    COLOURS,
    HEADINGS,
    HELPERS,
    MOTIONS,
    OBJECTS,
    PLACES,
    SHAPES,
    STATEFUL,
    held_out,
    place,
)

UNIT = st.floats(0, 1, allow_nan=False)


def test_places_are_named_as_people_see_them():
    assert place(0.1, 0.1) == "top left"
    assert place(0.5, 0.5) == "center"
    assert place(0.9, 0.5) == "right"
    assert place(0.5, 1.0) == "bottom"


@given(UNIT, UNIT)
def test_every_point_has_a_place_and_mirrored_points_have_mirrored_places(x, y):
    row = next(n for n, names in enumerate(PLACES) if place(x, y) in names)
    column = PLACES[row].index(place(x, y))
    assert (row - 1, column - 1) == (int(3 * min(y, 0.99)) - 1, int(3 * min(x, 0.99)) - 1)


def test_nouns_are_distinct():
    nouns = [*SHAPES, *OBJECTS, *STATEFUL, *HELPERS]
    assert len(nouns) == len(set(nouns))
    assert len(OBJECTS) >= 140
    assert not set(nouns) & set(COLOURS)


def test_of_all_pairs_about_one_in_eight_is_held_out():
    shapes = [held_out(shape, colour) for shape in SHAPES for colour in COLOURS]
    objects = [held_out(noun, heading) for noun in OBJECTS for heading in HEADINGS]
    assert 0.08 < np.mean(shapes) < 0.18
    assert 0.1 < np.mean(objects) < 0.18
    assert 0.08 < np.mean(shapes + objects) < 0.18


def test_only_the_last_four_shapes_have_held_out_colours_and_each_has_trained_ones():
    for number, shape in enumerate(SHAPES):
        out = [colour for colour in COLOURS if held_out(shape, colour)]
        assert bool(out) == (number >= 8)
        assert len(out) <= len(COLOURS) // 2


@pytest.mark.parametrize("heading", HEADINGS)
def test_every_heading_is_held_out_for_some_objects_and_trained_for_most(heading):
    assert 0.05 < np.mean([held_out(noun, heading) for noun in OBJECTS]) < 0.25


def test_every_object_is_trained_in_some_heading():
    assert not [noun for noun in OBJECTS if all(held_out(noun, way) for way in HEADINGS)]


def test_pairs_of_other_things_are_never_held_out():
    for noun in (*SHAPES, *STATEFUL, *HELPERS):
        assert not any(held_out(noun, motion) for motion in MOTIONS)
    assert not any(held_out(noun, colour) for noun in OBJECTS for colour in COLOURS)
    assert not any(held_out(noun, "still") for noun in OBJECTS)


def test_no_two_colours_are_close():
    values = np.array(list(COLOURS.values()), float)
    apart = np.abs(values[:, None] - values[None]).sum(-1)
    assert apart[~np.eye(len(values), dtype=bool)].min() > 100
