"""Worlds: the same seed is the same film at any time and size, and the truth can be asked for."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ConfigError
from worlds.catalog import HELD_OUT, MOODS, open_world
from worlds.things import INVERSE
from worlds.vocabulary import MOTIONS, PLACES
from worlds.world import World

SEEDS = st.integers(0, 5_000)
NAMES = st.sampled_from(sorted(MOODS))
DAYS = 86_400.0  # seconds


@settings(max_examples=5, deadline=None)
@given(SEEDS, NAMES, st.floats(0, 400, allow_nan=False))
def test_a_frame_follows_from_seed_and_time_alone(seed, name, t):
    wandering = open_world(name, seed)
    for other in (t + 300, 0.0, t + 61):
        wandering.frame(other, (32, 32))
    first = open_world(name, seed).frame(t, (64, 64))
    assert np.array_equal(wandering.frame(t, (64, 64)), first)


@settings(max_examples=5, deadline=None)
@given(SEEDS, NAMES)
def test_the_log_follows_from_the_seed_however_it_is_asked_for(seed, name):
    whole = open_world(name, seed).log(0, 180)
    pieces = open_world(name, seed)
    found = [line for t in (120, 60, 0) for line in reversed(pieces.log(t, t + 60))]
    assert found[::-1] == whole
    assert whole == sorted(whole, key=lambda line: line["t"])
    assert {line["event"] for line in whole} <= set(INVERSE)


def test_worlds_of_different_seeds_look_and_are_different():
    worlds = [open_world("desk", seed) for seed in range(12)]
    assert len({world.frame(20, (48, 48)).tobytes() for world in worlds}) == 12
    assert len({json.dumps(world.log(0, 60)) for world in worlds}) == 12


@settings(max_examples=25, deadline=None)
@given(NAMES, st.integers(16, 200), st.integers(16, 200), st.sampled_from((0.0, 31.7, 10 * DAYS)))
def test_a_frame_has_the_size_asked_for_at_any_time(name, height, width, t):
    frame = open_world(name, 3).frame(t, (height, width))
    assert frame.shape == (height, width, 3)
    assert frame.dtype == np.uint8


@pytest.mark.parametrize("name", sorted(MOODS))
@pytest.mark.parametrize("start", [0.0, 10 * DAYS])
def test_a_world_is_as_lively_after_ten_days_as_at_once(name, start):
    world = open_world(name, 5)
    kinds = [event.kind for event in world.events(start, start + 120)]
    assert kinds.count("appeared") > 8
    assert kinds.count("left") > 8
    assert any(world.seen(start + t) for t in range(5, 60, 5))
    assert world.truth(start + 30)["t"] == start + 30


@settings(max_examples=12, deadline=None)
@given(SEEDS, NAMES, st.floats(0, 400, allow_nan=False))
def test_truth_is_json_and_tells_what_is_in_view(seed, name, t):
    world = open_world(name, seed)
    truth = json.loads(json.dumps(world.truth(t)))
    for told, thing in zip(truth["objects"], world.seen(t), strict=True):
        look = thing.look(t)
        assert (told["name"], told["state"]) == (look.name, look.state)
        assert (told["colour"], told["shape"]) == (look.colour, look.noun)
        assert (told["x"], told["y"]) == pytest.approx(thing.at(t), abs=1e-3)
        assert told["place"] in {name for row in PLACES for name in row}
        assert told["moving"] in (*MOTIONS, "carried")
        assert told["covered"] == any(
            thing.at(t) == over.at(t) for over in world.things(t) if over.look(t).noun == "cover"
        )
        assert told["appeared"] <= t + 0.005  # it is rounded
    assert truth["events"] == world.log(max(0.0, t - 30), t)


def test_names_in_the_log_are_those_of_what_was_in_view():
    world = open_world("desk", 4)
    for line in world.log(0, 240):
        around = (line["t"] - 0.1, line["t"] + 0.1)
        names = {thing.look(t).name for t in around if t >= 0 for thing in world.seen(t)}
        assert line["name"] in names, line


def test_an_unknown_world_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="busy"):
        open_world("mars")
    with pytest.raises(ConfigError, match="negative"):
        open_world("shapes", -1)
    with pytest.raises(ValueError, match="negative"):
        World(-1, MOODS["calm"])


def test_a_named_world_is_the_same_for_everybody_and_seeds_vary_it():
    assert np.array_equal(open_world("calm").frame(9), open_world("calm").frame(9))
    assert not np.array_equal(open_world("calm", 1).frame(9), open_world("calm", 2).frame(9))


def test_named_worlds_differ_from_each_other_and_from_all_that_are_trained_on():
    worlds = [open_world(name) for name in MOODS]
    assert len({world.seed for world in worlds}) == len(MOODS)
    assert all(world.seed >= HELD_OUT for world in worlds)
