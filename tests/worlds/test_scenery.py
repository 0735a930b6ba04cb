"""Scenery and painter: kinds of background, light, noise and compression, and any size."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.worlds.watching import quiet_painter, trace
from worlds.catalog import MOODS, open_world
from worlds.painter import stamps
from worlds.scenery import KINDS, Scenery
from worlds.things import Look, Thing, Track

SQUARE = (192, 192)


def _only(kind: str, seed: int) -> Scenery:
    return quiet_painter(seed, kind).scenery


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_background_can_be_had(kind):
    assert {_only(kind, seed).kind for seed in range(5)} == {kind}


def test_each_kind_of_background_is_drawn_in_the_worlds_that_may_have_it():
    seen = {open_world("objects", seed).painter.scenery.kind for seed in range(40)}
    assert seen == set(KINDS)
    assert {open_world("shapes", seed).painter.scenery.kind for seed in range(20)} == {"smooth"}


@pytest.mark.parametrize("kind", KINDS)
def test_only_a_smooth_background_has_no_detail(kind):
    rough = []
    for seed in range(6):
        picture = _only(kind, seed).background(10.0, SQUARE)
        rough.append(np.abs(picture - cv2.GaussianBlur(picture, (0, 0), 6)).mean())
    if kind == "smooth":
        assert max(rough) < 0.2, rough
    else:
        assert min(rough) > 0.4, rough
        assert np.median(rough) > 1.0, rough


@pytest.mark.parametrize("kind", KINDS)
def test_a_background_stays_dark_enough_for_bright_things_and_is_never_black(kind):
    for seed in range(12):
        mean = _only(kind, seed).background(10.0, SQUARE).mean()
        assert 8 < mean < 165, (seed, mean)


def test_the_light_drifts_slowly_and_little():
    scenery = _only("texture", 2)
    lights = np.array([scenery.light(t) for t in np.arange(0, 200, 0.5)])
    assert np.ptp(lights) > 0.08
    assert np.abs(lights - 1).max() <= 0.05 + 1e-9
    assert np.abs(np.diff(lights)).max() < 0.005
    first, later = (scenery.background(t, SQUARE) for t in (20.0, 20.5))
    assert np.abs(later - first).max() < 6


@pytest.mark.parametrize("quality", [0, 55, 75, 92])
def test_noise_and_compression_leave_the_mean_colour_of_a_large_patch(quality):
    for seed in range(4):
        scenery = _only("smooth", seed)
        scenery.jpeg = quality
        flat = np.broadcast_to(np.float32((200, 60, 90)), (96, 96, 3)) * np.float32(1)
        shown = scenery.develop(flat + scenery.grain(3.0, (96, 96))).astype(float)
        assert shown.mean((0, 1)) == pytest.approx((200, 60, 90), abs=2.5)


def test_noise_changes_from_frame_to_frame_and_has_no_lasting_pattern():
    scenery = _only("smooth", 1)
    grains = np.stack([scenery.grain(t, (64, 64)) for t in np.arange(0, 12, 0.25)])
    alone = grains.std()
    assert 0.9 < alone < 7
    assert grains.mean(0).std() < 0.4 * alone
    assert np.array_equal(scenery.grain(2.0, (64, 64)), grains[8])


@pytest.mark.parametrize("name", sorted(MOODS))
def test_a_frame_at_half_the_size_shows_the_same(name):
    for seed in (2, 9):
        world = open_world(name, seed)
        world.painter.scenery.jpeg = 0
        large, half = (
            cv2.resize(world.frame(33.0, (side, side)), (48, 48), interpolation=cv2.INTER_AREA)
            for side in (384, 192)
        )
        apart = np.abs(large.astype(float) - half.astype(float))
        assert apart.mean() < 2.5, apart.mean()
        assert np.quantile(apart, 0.99) < 12, np.quantile(apart, 0.99)


def test_a_wide_picture_stretches_ways_and_not_things():
    thing = Thing(0, 9, Track.resting(0.25, 0.5, 0.1), ((0, Look("square", "white")),))
    (stamp,) = stamps([thing], 1.0, (100, 300))
    assert (stamp.x, stamp.y, stamp.radius) == pytest.approx((75, 50, 10))


def test_layers_and_then_age_say_what_lies_on_top():
    rest = Track.resting(0.5, 0.5, 0.2)
    low, high = (
        Thing(0, 9, rest, ((0, Look("square", c)),), layer=n) for n, c in ((0, "red"), (1, "blue"))
    )
    younger = Thing(1, 9, rest, ((1, Look("square", "green")),))
    order = [stamp.look.colour for stamp in stamps([high, low, younger], 2.0, (64, 64))]
    assert order == ["red", "green", "blue"]


def test_a_turned_and_a_mirrored_thing_are_painted_so():
    painter = quiet_painter()
    arrow = Thing(0, 9, Track.resting(0.5, 0.5, 0.3), ((0, Look("arrow", "yellow")),))
    bolt = replace(arrow, looks=((0, Look("bolt", "yellow")),))
    quarter = replace(arrow, track=Track((0.0,), (0.5,), (0.5,), (0.3,), (np.pi / 2,)))
    up, right, there, back = (
        trace(painter, [one], 1.0) > 20
        for one in (arrow, quarter, bolt, replace(bolt, mirrored=True))
    )
    assert _overlap(np.rot90(up, -1), right) > 0.97
    assert _overlap(there[:, ::-1], back) > 0.97
    assert _overlap(up, right) < 0.8
    assert _overlap(there, back) < 0.8


def _overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())
