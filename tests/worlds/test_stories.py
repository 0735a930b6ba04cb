"""Stories: what each of them makes is whole, and says of itself what it truly does."""

from __future__ import annotations

import numpy as np
import pytest

from tests.worlds.watching import STORIES, told
from worlds.catalog import MOODS, open_world
from worlds.script import ACT_SECONDS, act
from worlds.stories.cast import Cast
from worlds.stories.changing import blinks, counts, recolours, resizes
from worlds.stories.meeting import collide, takes
from worlds.stories.moving import bounces, circles, nears, passes, speeds_up, turns
from worlds.things import INVERSE, Thing
from worlds.vocabulary import COLOURS, HAND, HEADINGS, OBJECTS, SHAPES, held_out

NOW = 7.0  # seconds; when the stories here begin
STRAIGHT = (passes, speeds_up, bounces, collide)
NAMED = pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)


@NAMED
def test_what_a_story_makes_is_whole_and_in_order(story):
    for made in told(story, 30, now=NOW):
        assert made
        for thing in made:
            assert NOW <= thing.born < thing.gone
            way = thing.track
            assert len({len(way.t), len(way.x), len(way.y), len(way.radius), len(way.angle)}) == 1
            assert all(a < b for a, b in zip(way.t, way.t[1:], strict=False))
            assert thing.looks[0][0] == thing.born
            assert thing.looks == tuple(sorted(thing.looks, key=lambda look: look[0]))
            assert thing.motions == tuple(sorted(thing.motions))
            assert all(thing.born < t <= thing.gone for t, _, _ in thing.marks)
            assert all(kind in INVERSE for _, kind, _ in thing.marks)
            assert thing.born <= thing.appears < thing.leaves <= thing.gone


@NAMED
def test_a_story_is_the_same_when_told_later(story):
    for early, late in zip(told(story, 10, now=NOW), told(story, 10, now=NOW + 300), strict=True):
        for one, other in zip(early, late, strict=True):
            assert other.born == pytest.approx(one.born + 300)
            assert other.gone == pytest.approx(one.gone + 300)
            for share in (0.1, 0.5, 0.9):
                t = one.born + share * (one.gone - one.born)
                assert other.at(t + 300) == pytest.approx(one.at(t), abs=1e-6)


@pytest.mark.parametrize("story", STRAIGHT, ids=lambda story: story.__name__)
def test_what_has_a_heading_moves_along_it(story):
    for made in told(story, 40, now=NOW):
        for thing in made:
            for (start, heading), (end, _) in zip(
                thing.motions, (*thing.motions[1:], (thing.gone, "")), strict=True
            ):
                moved = np.subtract(thing.at(end - 1e-3), thing.at(start + 1e-3))
                if np.hypot(*moved) < 0.02:
                    continue  # it turned round in a corner
                ahead = np.array(HEADINGS[heading]) / np.hypot(*HEADINGS[heading])
                assert moved @ ahead / np.hypot(*moved) > 0.99, (thing, heading)


def test_what_speeds_up_or_slows_down_does_so_all_the_way():
    for (thing,) in told(speeds_up, 20, now=NOW):
        t = np.linspace(thing.track.t[1], thing.track.t[-2], 8)
        ways = np.diff(np.stack([thing.at(float(one)) for one in t]), axis=0)
        steps = np.hypot(*ways.T)
        bends = np.diff(steps)
        assert (bends > 0).all() or (bends < 0).all()


def test_what_bounces_stays_in_the_picture():
    for (thing,) in told(bounces, 40, now=NOW):
        depths = [thing.depth(t) for t in np.linspace(thing.born, thing.gone - 1e-6, 200)]
        assert min(depths) > 0.8  # centres keep about a radius from the edge


def test_what_circles_keeps_its_distance_from_a_point():
    for (thing,) in told(circles, 20, now=NOW):
        way = np.stack([thing.track.x, thing.track.y], 1)
        middle = np.linalg.lstsq(np.c_[2 * way, np.ones(len(way))], (way**2).sum(1), rcond=None)[0][
            :2
        ]
        distances = np.hypot(*(way - middle).T)
        assert np.ptp(distances) < 1e-6
        assert 0.12 <= distances[0] <= 0.22


def test_what_comes_closer_grows_and_what_goes_away_shrinks():
    for (thing,) in told(nears, 20, now=NOW):
        grown = thing.radius(thing.gone) > thing.radius(thing.born)
        assert thing.motion(thing.born) == ("closer" if grown else "away")
    for (thing,) in told(resizes, 20, now=NOW):
        grown = thing.radius(thing.gone) > thing.radius(thing.born)
        assert [kind for _, kind, _ in thing.marks] == ["grew" if grown else "shrank"]


def test_what_turns_is_no_shape_and_ends_turned():
    for (thing,) in told(turns, 20, now=NOW):
        assert thing.looks[0][1].noun in OBJECTS
        assert abs(thing.angle(thing.gone)) > 1


def test_a_blink_is_short():
    assert all(0.9 <= thing.gone - thing.born <= 1.5 for (thing,) in told(blinks, 20, now=NOW))


def test_a_sign_never_changes_to_the_number_it_has():
    for (thing,) in told(counts, 200, now=NOW):
        numbers = [look.state for _, look in thing.looks]
        assert all(0 <= int(number) < 100 for number in numbers)
        assert len(set(numbers)) == len(numbers)
        assert [detail for _, _, detail in thing.marks] == numbers[1:]


def test_a_hand_and_what_it_carries_move_together():
    for thing, hand in told(takes, 30, now=NOW):
        assert hand.looks[0][1].noun == HAND
        grips = next(t for t, kind, _ in thing.marks if kind == "picked up")
        lets = next((t for t, kind, _ in thing.marks if kind == "put down"), thing.gone)
        together = np.linspace(grips, lets - 1e-3, 9)
        apart = [np.subtract(hand.at(float(t)), thing.at(float(t))) for t in together]
        assert np.ptp(apart, axis=0) == pytest.approx([0, 0], abs=1e-9)
        assert all(thing.motion(float(t)) == "carried" for t in together)
        assert np.hypot(*np.subtract(thing.at(lets - 1e-3), thing.at(grips))) > 0.1
        assert hand.depth(hand.born) < 0, "a hand comes from outside"
        assert not hand.events, "a hand is no thing that events happen to"


def test_colliding_things_touch_once_and_turn_back():
    for first, second in told(collide, 30, now=NOW):
        ((touch, kind, name),) = second.marks
        assert (kind, name) == ("collided", first.looks[0][1].name)
        assert not first.marks, "it is one event, not one for each"
        gaps = [
            np.hypot(*np.subtract(first.at(t), second.at(t))) for t in (touch - 1, touch, touch + 1)
        ]
        assert gaps[1] < min(gaps[0], gaps[2])
        assert gaps[1] < first.radius(touch) + second.radius(touch)


def _pairs(thing: Thing) -> set[tuple[str, str]]:
    """All pairs of shape and colour, object and heading, that a thing ever shows."""
    looks = {(look.noun, look.colour) for _, look in thing.looks if look.noun in SHAPES}
    moved = {(thing.look(t).noun, motion) for t, motion in thing.motions if motion in HEADINGS}
    return looks | {pair for pair in moved if pair[0] in OBJECTS}


@pytest.mark.parametrize("name", sorted(MOODS))
def test_held_out_pairs_never_occur_in_worlds_to_train_on(name):
    for seed in range(12):
        mood = open_world(name, seed, "trained").mood
        for number in range(2):
            pairs = {pair for thing in act(seed, number, mood) for pair in _pairs(thing)}
            assert not [pair for pair in pairs if held_out(*pair)]


@NAMED
def test_no_story_shows_a_held_out_pair_where_it_may_not(story):
    for made in told(story, 60, Cast(objects=0.5, combinations="trained"), NOW):
        assert not [pair for thing in made for pair in _pairs(thing) if held_out(*pair)]


def test_held_out_worlds_show_their_last_four_shapes_as_never_trained_on():
    worlds = [open_world("shapes", seed, "held out") for seed in range(30)]
    shown = [
        look for world in worlds for t in act(world.seed, 0, world.mood) for _, look in t.looks
    ]
    last = [(look.noun, look.colour) for look in shown if look.noun in list(SHAPES)[8:]]
    assert len(last) > 0.6 * len(shown)
    assert np.mean([held_out(*pair) for pair in last]) > 0.9


def test_held_out_worlds_move_their_objects_as_never_trained_on():
    """Of objects that have such a heading at all; the rest have no choice."""
    cast = Cast(objects=1.0, combinations="held out")
    pairs = [pair for (thing,) in told(passes, 600, cast) for pair in _pairs(thing)]
    able = [noun for noun in OBJECTS if any(held_out(noun, heading) for heading in HEADINGS)]
    choosing = [held_out(*pair) for pair in pairs if pair[0] in able]
    assert len(choosing) > 300
    assert np.mean(choosing) > 0.8


def test_a_new_colour_is_another_one_and_its_mark_says_which():
    for (thing,) in told(recolours, 40, now=NOW):
        before, after = (look for _, look in thing.looks)
        assert before.noun == after.noun
        assert before.colour != after.colour
        assert thing.marks[0][1:] == ("changed colour", after.colour)
        assert after.colour in COLOURS


def test_nothing_is_born_before_its_act_but_the_bridge():
    for number in (1, 4):
        early = [t for t in act(2, number, MOODS["desk"]) if t.born < number * ACT_SECONDS]
        assert len(early) == 1
