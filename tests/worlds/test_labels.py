"""Labels agree with pixels: colours, headings, changes, covers and hands, looked at in pictures."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worlds.watching import SIZE, centroid, quiet_painter, told, trace
from worlds.catalog import open_world
from worlds.stories.cast import Cast
from worlds.stories.changing import counts, jumps, opens, recolours, resizes
from worlds.stories.meeting import is_covered, takes
from worlds.stories.moving import bounces, passes, stands
from worlds.things import Thing
from worlds.vocabulary import COLOURS, HEADINGS, SHAPES

SHARP = 60  # levels; noise never reaches it
SHAPES_ONLY = Cast(objects=0.0)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 5_000), st.floats(0, 400, allow_nan=False))
def test_a_point_inside_a_shape_has_its_colour(seed, t):
    world = open_world("shapes", seed)
    things, frame = world.things(t), world.frame(t, (384, 384)).astype(float)
    for number, thing in enumerate(things):
        x, y = thing.at(t)
        u, v = SHAPES[thing.look(t).noun].inside
        x, y = x + (-u if thing.mirrored else u) * thing.radius(t), y + v * thing.radius(t)
        if _under(things[number + 1 :], x, y, t) or not (0.01 < x < 0.99 and 0.01 < y < 0.99):
            continue
        row, column = int(y * 384), int(x * 384)
        seen = frame[row - 1 : row + 2, column - 1 : column + 2].mean((0, 1))
        nearest = min(COLOURS, key=lambda name: np.abs(seen - COLOURS[name]).sum())
        assert nearest == thing.look(t).colour, (thing, seen)


def _under(others: Sequence[Thing], x: float, y: float, t: float) -> bool:
    return any(np.hypot(x - o.at(t)[0], y - o.at(t)[1]) < 1.4 * o.radius(t) for o in others)


@pytest.mark.parametrize("story", [passes, bounces], ids=["passes", "bounces"])
def test_a_moving_thing_is_seen_to_move_along_its_heading(story):
    painter = quiet_painter()
    for (thing,) in told(story, 12):
        heading = thing.motion(thing.born)
        ends = [t for t, _ in thing.motions[1:]] + [thing.gone]
        whole = [t for t in np.arange(thing.born, ends[0], 0.1) if thing.depth(t) > 1.3]
        if len(whole) < 5:
            continue
        moved = centroid(painter, thing, whole[-1]) - centroid(painter, thing, whole[0])
        ahead = np.array(HEADINGS[heading]) / np.hypot(*HEADINGS[heading])
        way = np.subtract(thing.at(whole[-1]), thing.at(whole[0]))
        assert moved == pytest.approx(way, abs=2 / SIZE[0])
        assert moved @ ahead > 0.98 * np.hypot(*moved)


@pytest.mark.parametrize(
    "story", [counts, opens, recolours, jumps], ids=lambda story: story.__name__
)
def test_a_change_shows_at_its_moment_and_not_before(story):
    painter, changed = quiet_painter(), 0
    for (thing,) in told(story, 16, SHAPES_ONLY):
        for t, _, _ in thing.marks:
            changed += 1
            shown = [painter.paint([thing], s, SIZE).astype(float) for s in _around(thing, t)]
            differ = [(np.abs(b - a).max(-1) > SHARP).sum() for a, b in pairwise(shown)]
            assert differ[0] == differ[1] == differ[3] == 0, (thing, differ)
            assert differ[2] > 30, (thing, differ)
    assert changed >= 6


def _around(thing: Thing, t: float) -> tuple[float, ...]:
    """Two moments before a change, one just before it and two after, close enough for the light."""
    return t - 1.0, t - 0.5, t - 0.001, t + 0.001, t + 0.5


def test_growing_and_shrinking_show_as_larger_and_smaller_patches():
    painter = quiet_painter()
    for (thing,) in told(resizes, 12, SHAPES_ONLY):
        t, kind, _ = thing.marks[0]
        before, after = (int((trace(painter, [thing], s) > 10).sum()) for s in (t - 0.5, t + 0.5))
        assert (after > 1.8 * before) if kind == "grew" else (before > 1.8 * after)


def test_a_covered_thing_is_hidden_until_it_is_uncovered():
    painter, uncovered = quiet_painter(), 0
    for thing, cover in told(is_covered, 12):
        t, back = cover.born, cover.gone
        assert (trace(painter, [thing], t - 0.01) > 20).sum() > 60
        for s in np.linspace(t, back - 0.01, 4):
            with_it, without = (painter.paint(some, s, SIZE) for some in ([thing, cover], [cover]))
            assert np.array_equal(with_it, without)
        if thing.exists(back):
            uncovered += 1
            assert (trace(painter, [thing, cover], back) > 20).sum() > 60
            assert [kind for _, kind, _ in thing.marks] == ["covered", "uncovered"]
    assert uncovered


def test_a_hand_and_what_it_carries_are_seen_to_move_together():
    painter, moved = quiet_painter(), 0
    for thing, hand in told(takes, 20):
        grips = next(t for t, kind, _ in thing.marks if kind == "picked up")
        lets = next((t for t, kind, _ in thing.marks if kind == "put down"), thing.gone)
        whole = [
            t
            for t in np.linspace(grips, lets - 0.01, 12)
            if thing.depth(t) > 1.3 and hand.depth(t) > 1.3
        ]
        if len(whole) < 4:
            continue
        moved += 1
        ways = [
            centroid(painter, one, whole[-1]) - centroid(painter, one, whole[0])
            for one in (thing, hand)
        ]
        assert ways[0] == pytest.approx(ways[1], abs=3 / SIZE[0])
        assert np.hypot(*ways[0]) > 0.05
    assert moved > 5


def test_a_hand_lies_over_what_it_holds():
    painter = quiet_painter()
    for thing, hand in told(takes, 8):
        grips = thing.marks[0][0]
        both = painter.paint([thing, hand], grips, SIZE)
        turned_round = painter.paint([hand, thing], grips, SIZE)
        assert np.array_equal(both, turned_round), "the order of things says nothing, layers do"
        solid = trace(painter, [hand], grips) > 100
        alone = painter.paint([hand], grips, SIZE)
        inner = solid & ~_edges(solid)
        assert np.abs(both.astype(int) - alone.astype(int))[inner].mean() < 6


def _edges(mask: np.ndarray) -> np.ndarray:
    padded = np.pad(mask, 2, mode="edge")
    shifts = [padded[r : r + mask.shape[0], c : c + mask.shape[1]] for r in (0, 4) for c in (0, 4)]
    return mask & ~np.logical_and.reduce(shifts)


def test_what_is_outside_the_picture_is_not_painted():
    painter = quiet_painter()
    for (thing,) in told(passes, 20):
        way = np.subtract(thing.at(thing.gone), thing.at(thing.born))
        far = Thing(
            thing.born,
            thing.gone,
            type(thing.track).resting(*np.add((3.0, 3.0), way).tolist(), 0.1),
            thing.looks,
        )
        assert not trace(painter, [far], thing.born).any()


def test_a_still_thing_stands_where_the_log_says():
    painter = quiet_painter()
    for (thing,) in told(stands, 12, SHAPES_ONLY):
        x, y = centroid(painter, thing, thing.born + 1)
        u, v = thing.at(thing.born + 1)
        assert np.hypot(x - u, y - v) < 0.35 * thing.radius(thing.born)
