"""Worlds: the same seed is the same film, and the log tells what the pictures show."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ConfigError
from worlds.catalog import MOODS, open_world
from worlds.script import ACT_SECONDS, MOST, Mood, act
from worlds.vocabulary import COLOURS, DIRECTIONS, PLACES, SHAPES, place
from worlds.world import World

SEEDS = st.integers(0, 5_000)
TIMES = st.floats(0, 400, allow_nan=False)


@settings(max_examples=25, deadline=None)
@given(SEEDS, TIMES)
def test_a_frame_follows_from_seed_and_time_alone(seed, t):
    wandering = World(seed)
    for other in (t + 300, 0.0, t + 61):
        wandering.frame(other, (32, 32))
    assert np.array_equal(wandering.frame(t, (96, 96)), World(seed).frame(t, (96, 96)))


def test_worlds_of_different_seeds_differ():
    frames = {World(seed).frame(20, (48, 48)).tobytes() for seed in range(20)}
    assert len(frames) == 20


@pytest.mark.parametrize("size", [(96, 96), (384, 384), (120, 200)])
def test_a_frame_has_the_size_asked_for(size):
    frame = World(1).frame(3.0, size)
    assert frame.shape == (*size, 3)
    assert frame.dtype == np.uint8


@settings(max_examples=60, deadline=None)
@given(SEEDS, TIMES)
def test_a_point_inside_a_thing_has_its_colour(seed, t):
    world = World(seed)
    things = world.seen(t)
    frame = world.frame(t, (384, 384)).astype(float)
    for number, thing in enumerate(things):
        x, y = thing.at(t)
        u, v = SHAPES[thing.shape].inside
        px, py = x + u * thing.radius, y + v * thing.radius
        later = world.things(t)[world.things(t).index(thing) + 1 :]
        hidden = any(
            (px - o.at(t)[0]) ** 2 + (py - o.at(t)[1]) ** 2 < 2 * o.radius**2 for o in later
        )
        if hidden or not (0.01 < px < 0.99 and 0.01 < py < 0.99):
            continue
        row, column = int(py * 384), int(px * 384)
        seen = frame[row - 1 : row + 2, column - 1 : column + 2].mean((0, 1))
        nearest = min(COLOURS, key=lambda name: np.abs(seen - COLOURS[name]).sum())
        assert nearest == thing.colour, (number, thing, seen)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.sampled_from(sorted(MOODS)))
def test_never_more_than_the_most_things_exist_and_every_life_has_a_length(seed, mood):
    world = World(seed, MOODS[mood])
    for t in np.arange(0, 130, 0.7):
        assert len(world.things(t)) <= MOST
    for thing in act(seed, 1, MOODS[mood]):
        assert thing.born < thing.gone
        assert thing.colour in COLOURS
        assert thing.shape in SHAPES
        assert thing.heading == "still" or thing.heading in DIRECTIONS
        assert thing.born <= thing.appears <= thing.leaves <= thing.gone


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_events_say_exactly_how_what_is_in_view_changes(seed):
    world = World(seed)
    seen = {thing for thing in world.seen(3.0)}
    for event in world.events(3.0, 150.0):
        if event.kind == "appeared":
            seen.add(event.thing)
        else:
            seen.discard(event.thing)
    assert seen == set(world.seen(150.0))


def test_something_is_nearly_always_in_view():
    empty = [
        not World(seed).seen(t) for seed in range(40) for t in np.arange(2, 2 * ACT_SECONDS, 1.5)
    ]
    assert np.mean(empty) < 0.02


def test_where_a_thing_is_does_not_say_where_it_goes():
    x: dict[str, list[float]] = {"left": [], "right": []}
    for seed in range(300):
        world = World(seed)
        for t in (10.0, 30.0, 50.0):
            for thing in world.seen(t):
                if thing.heading in x:
                    x[thing.heading].append(thing.at(t)[0])
    means = [np.mean(x["left"]), np.mean(x["right"])]
    assert min(len(v) for v in x.values()) > 150
    assert abs(means[0] - means[1]) < 0.06, means


def test_moving_things_move_the_way_they_head():
    for thing in act(5, 0, Mood(moving=1.0)):
        (x, y), (u, v) = thing.at(thing.middle), thing.at(thing.middle + 1)
        dx, dy = DIRECTIONS.get(thing.heading, (0, 0))
        assert (u - x, v - y) == pytest.approx((dx * thing.speed, dy * thing.speed))


def test_truth_is_json_and_names_what_is_in_view():
    import json

    world = open_world("shapes", 7)
    truth = json.loads(json.dumps(world.truth(42.0)))
    names = [(o["colour"], o["shape"]) for o in truth["objects"]]
    assert names == [(thing.colour, thing.shape) for thing in world.seen(42.0)]
    assert all(o["place"] in {name for row in PLACES for name in row} for o in truth["objects"])
    assert all(12.0 <= event["t"] < 42.0 for event in truth["events"])


def test_places_are_named_as_people_see_them():
    assert place(0.1, 0.1) == "top left"
    assert place(0.5, 0.5) == "center"
    assert place(0.9, 0.5) == "right"
    assert place(0.5, 1.0) == "bottom"


def test_an_unknown_world_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="busy"):
        open_world("mars")
    with pytest.raises(ConfigError, match="negative"):
        open_world("shapes", -1)


def test_a_named_world_is_the_same_for_everybody_and_seeds_vary_it():
    assert np.array_equal(open_world("calm").frame(9), open_world("calm").frame(9))
    assert not np.array_equal(open_world("calm", 1).frame(9), open_world("calm", 2).frame(9))
