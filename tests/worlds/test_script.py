"""Acts: any moment follows from seed and number alone, and nothing crowds anything else."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worlds.catalog import MOODS, open_world
from worlds.script import ACT_SECONDS, act
from worlds.things import INVERSE, Event
from worlds.vocabulary import HELPERS

APART = 1.1  # seconds, as the script promises
SEEDS = st.integers(0, 20_000)
NAMES = st.sampled_from(sorted(MOODS))


@settings(max_examples=8, deadline=None)
@given(SEEDS, NAMES, st.integers(0, 200_000))
def test_an_act_follows_from_its_seed_and_number_alone(seed, name, number):
    wandering = open_world(name, seed)
    for other in (number + 1, 0, number + 7):
        wandering.things(other * ACT_SECONDS)
    there = set(act(seed, number, MOODS[name]))
    for t in (number + np.array([0.0, 0.4, 0.9])) * ACT_SECONDS:
        assert set(wandering.things(float(t))) <= there
        assert wandering.things(float(t)) == open_world(name, seed).things(float(t))


@settings(max_examples=8, deadline=None)
@given(SEEDS, NAMES, st.integers(0, 9))
def test_a_bridge_spans_every_border_and_both_acts_know_it(seed, name, number):
    border = (number + 1) * ACT_SECONDS
    before, after = (set(act(seed, n, MOODS[name])) for n in (number, number + 1))
    (bridge,) = before & after
    assert bridge.born < border < bridge.gone
    assert bridge.seen(border)
    assert not any(thing.exists(border) for thing in (before | after) - {bridge})


@settings(max_examples=8, deadline=None)
@given(SEEDS, NAMES, st.integers(0, 9))
def test_everything_but_the_bridges_lives_wholly_within_its_act(seed, name, number):
    start, end = number * ACT_SECONDS, (number + 1) * ACT_SECONDS
    own = [thing for thing in act(seed, number, MOODS[name]) if start <= thing.born < end - 5]
    assert len(own) > 3
    assert all(thing.gone < end for thing in own)


@settings(max_examples=10, deadline=None)
@given(SEEDS, NAMES)
def test_never_are_more_things_in_view_than_the_mood_allows(seed, name):
    world, most = open_world(name, seed), MOODS[name].most
    births = [thing.born for n in range(3) for thing in act(seed, n, world.mood) if thing.born > 0]
    for t in births:  # only then can there be more than before
        assert sum(not thing.helper for thing in world.things(t)) <= most


@settings(max_examples=10, deadline=None)
@given(SEEDS, NAMES)
def test_no_two_events_are_closer_than_promised_unless_one_story_tells_both(seed, name):
    events = open_world(name, seed).events(0, 3 * ACT_SECONDS)
    for n, first in enumerate(events):
        for second in events[n + 1 : n + 12]:
            if _may_be_close(first, second):
                continue
            assert second.t - first.t >= APART - 1e-6, (first, second)


def _may_be_close(first: Event, second: Event) -> bool:
    """Two of one story, or one that goes while another comes or goes too."""
    together = first.thing == second.thing or first.thing.born == second.thing.born
    kinds = {first.kind, second.kind}
    return together or ("left" in kinds and kinds <= {"appeared", "left"})


@settings(max_examples=10, deadline=None)
@given(SEEDS, NAMES)
def test_events_say_exactly_how_what_is_in_view_changes(seed, name):
    world = open_world(name, seed)
    events = world.events(-10, 2 * ACT_SECONDS)
    assert all(event.kind in INVERSE for event in events)
    times = np.array([event.t for event in events])
    for t in np.arange(3.0, 2 * ACT_SECONDS, 0.9):
        if np.abs(times - t).min() < 0.03:  # seconds; coming into view is found that finely
            continue
        came, went = (
            {event.thing for event in events if event.kind == kind and event.t <= t}
            for kind in ("appeared", "left")
        )
        assert came - went == set(world.seen(t))


@settings(max_examples=8, deadline=None)
@given(SEEDS, NAMES, st.integers(0, 5))
def test_still_things_never_hide_each_other_from_the_start(seed, name, number):
    acted = act(seed, number, MOODS[name])
    still = [t for t in acted if {m for _, m in t.motions} == {"still"} and not t.helper]
    for first, second in combinations(still, 2):
        later = max(first, second, key=lambda thing: thing.born)
        together = first.exists(later.born) and second.exists(later.born)
        if not together or first.born == second.born:
            continue
        (x, y), (u, v) = first.at(later.born), second.at(later.born)
        apart = np.hypot(x - u, y - v)
        assert apart > 0.8 * (first.radius(later.born) + second.radius(later.born))


@pytest.mark.parametrize("name", sorted(MOODS))
def test_something_is_nearly_always_in_view(name):
    worlds = [open_world(name, seed) for seed in range(12)]
    empty = [not world.seen(t) for world in worlds for t in np.arange(2, 2 * ACT_SECONDS, 1.5)]
    assert np.mean(empty) < 0.04


@pytest.mark.parametrize("name", sorted(MOODS))
def test_every_story_of_a_mood_is_told(name):
    mood, kinds = MOODS[name], set()
    for seed in range(25):
        for thing in act(seed, 1, mood):
            kinds |= {motion for _, motion in thing.motions} | {mark[1] for mark in thing.marks}
            kinds |= {thing.looks[0][1].noun} & set(HELPERS)
    expected = {
        "shapes": {"still", "left", "down right"},
        "calm": {"still", "up", "up left"},
        "busy": {"still", "right", "down left"},
        "objects": {"in a circle", "closer", "away", "around", "up right"},
        "desk": {*INVERSE, "hand", "cover"} - {"appeared", "left"},
    }
    assert expected[name] <= kinds, expected[name] - kinds
