"""Twins of stretches: turned twice they are themselves, and they look and log as they should."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from worlds.backdrop import Backdrop, TurnedScenery
from worlds.catalog import open_world
from worlds.painter import Painter
from worlds.questions.catalog import ask
from worlds.questions.moment import Moment
from worlds.stories.changing import counts, recolours
from worlds.stories.moving import stands
from worlds.things import INVERSE
from worlds.twins import (
    MIRRORED,
    OPPOSITE,
    TWINS,
    Stretch,
    backwards,
    both,
    cut,
    flipped,
    stretch,
    swapped,
)
from worlds.vocabulary import HEADINGS, MOTIONS, SIGN

from .watching import STORIES, told

SIZE = (96, 96)
FRAME = 0.25  # seconds
REAL = (0.0, 0.0, 0.0, 1.0)
MOMENTS = st.tuples(
    st.sampled_from(("shapes", "busy", "objects", "desk")),
    st.integers(0, 400),
    st.floats(0, 200, allow_nan=False),
    st.integers(4, 24),
)


def piece(moment):
    name, seed, start, frames = moment
    return cut(open_world(name, seed), start, frames * FRAME)


def signless(shown: Stretch) -> Stretch:
    return replace(
        shown, cast=tuple(thing for thing in shown.cast if thing.looks[0][1].noun != SIGN)
    )


def clean(shown: Stretch) -> Painter:
    return Painter(TurnedScenery(shown.backdrop), clean=True)


def film(shown: Stretch) -> np.ndarray:
    painter = clean(shown)
    times = np.arange(0, shown.last + FRAME / 2, FRAME)
    pictures = [
        painter.paint([x for x in shown.cast if x.exists(t)], t, SIZE) for t in times.tolist()
    ]
    return np.stack(pictures).astype(float)


def log(shown: Stretch, inverse: bool = False, margin: float = 0.0) -> list[tuple]:
    found = []
    for event in shown.events(margin, shown.last - margin):
        t, kind = (shown.last - event.t, INVERSE[event.kind]) if inverse else (event.t, event.kind)
        found.append((kind, event.thing.track.radius[0], t))
    return sorted(found, key=lambda line: line[2])


@settings(max_examples=10, deadline=None)
@given(MOMENTS)
def test_every_twin_of_a_twin_is_the_stretch_itself(moment):
    shown = signless(piece(moment))
    for twin in TWINS.values():
        assert twin(twin(shown)) == shown
    assert both(shown) == flipped(backwards(shown))


@settings(max_examples=5, deadline=None)
@given(MOMENTS)
def test_the_flipped_twin_shows_the_mirrored_frames(moment):
    shown = signless(piece(moment))
    mine, twin = film(shown), film(flipped(shown))
    difference = np.abs(twin - mine[:, :, ::-1])
    assert difference.mean() < 0.3
    assert np.percentile(difference, 99.5) < 12  # edges fall between pixels


@example(("shapes", 2, 0.0, 4))  # a thing that is born with the first frame
@settings(max_examples=5, deadline=None)
@given(MOMENTS)
def test_the_reversed_twin_shows_the_same_frames_in_the_other_order(moment):
    shown = piece(moment)
    assert np.abs(film(backwards(shown)) - film(shown)[::-1]).max() <= 2


@pytest.mark.parametrize("kind", range(4))
def test_every_kind_of_background_is_turned_with_what_is_before_it(kind):
    shares = tuple(float(kind == n) for n in range(4))
    shown = Stretch((), 8.0, Backdrop(5, shares, origin=13.0))
    mine = film(shown)
    assert np.abs(mine[0] - mine[-1]).max() > 1, "the light does not change"
    assert np.abs(film(both(shown)) - mine[::-1, :, ::-1]).max() <= 1


def test_noise_does_not_run_backwards():
    shown = Stretch((), 2.0, Backdrop(8, REAL))
    twin = backwards(shown)
    assert shown.painter.scenery.noise > 0
    for t in (0.0, 0.75, 2.0):
        assert np.array_equal(
            shown.painter.scenery.grain(t, SIZE), twin.painter.scenery.grain(t, SIZE)
        )
    assert not np.array_equal(
        twin.painter.scenery.grain(0.5, SIZE), shown.painter.scenery.grain(1.5, SIZE)
    )


@settings(max_examples=8, deadline=None)
@given(MOMENTS)
def test_the_log_of_the_flipped_twin_is_the_same(moment):
    shown = signless(piece(moment))
    assert [line[:2] for line in log(flipped(shown))] == [line[:2] for line in log(shown)]
    for mine, twin in zip(log(shown), log(flipped(shown)), strict=True):
        assert twin[2] == pytest.approx(mine[2], abs=0.03)


@settings(max_examples=10, deadline=None)
@given(MOMENTS)
def test_the_log_of_the_reversed_twin_is_the_inverse_log_read_backwards(moment):
    shown = piece(moment)
    edge = 0.05  # events at the very ends may fall in or out
    twin = log(backwards(shown), inverse=True)
    for kind, radius, t in log(shown, margin=edge):
        same = [line for line in twin if line[0] == kind and abs(line[2] - t) < edge]
        assert same, f"{kind} at {t} has no counterpart"
        assert radius > 0


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_whatever_happens_in_a_story_is_undone_in_its_reversed_twin(story):
    for made in told(story, 3):
        shown = stretch(made, made[0].born - 1.0, 32.0, Backdrop(1, REAL))
        mine = sorted((kind, radius, t) for kind, radius, t in log(shown))
        twin = sorted((kind, radius, t) for kind, radius, t in log(backwards(shown), inverse=True))
        assert [kind for kind, _, _ in twin] == [kind for kind, _, _ in mine]
        for (_, _, there), (_, _, here) in zip(twin, mine, strict=True):
            assert there == pytest.approx(here, abs=0.05)


def test_a_change_that_is_undone_ends_as_it_began():
    for (thing,) in told(recolours, 5):
        shown = stretch([thing], thing.born, 30.0, Backdrop(1, REAL))
        (event,) = [e for e in backwards(shown).events(0, 30) if e.kind == "changed colour"]
        assert event.detail == thing.looks[0][1].colour
        assert event.thing.look(event.t).colour == event.detail


def test_motions_turn_as_their_tracks_do():
    for name, (x, y) in HEADINGS.items():
        assert HEADINGS[MIRRORED[name]] == (-x, y)
        assert HEADINGS[OPPOSITE[name]] == (-x, -y)
    assert OPPOSITE["closer"] == "away"
    assert set(OPPOSITE) | set(MIRRORED) <= set(MOTIONS)


@settings(max_examples=8, deadline=None)
@given(MOMENTS, st.sampled_from(sorted(TWINS)))
def test_the_named_motion_of_a_twin_is_the_way_it_really_goes(moment, name):
    twin = TWINS[name](signless(piece(moment)))
    for thing in twin.cast:
        for t in np.arange(0, twin.last, 0.5).tolist():
            motion = thing.motion(t)
            if motion != thing.motion(t + 0.1) or not thing.exists(t + 0.1):
                continue
            (x, y), (u, v) = thing.at(t), thing.at(t + 0.1)
            step = (u - x, v - y)
            if motion in HEADINGS:
                way = HEADINGS[motion]
                assert all(
                    np.sign(a) * (abs(a) > 1e-6) == b for a, b in zip(step, way, strict=True)
                )
            elif motion in ("closer", "away"):
                assert (thing.radius(t + 0.1) > thing.radius(t)) == (motion == "closer")


@settings(max_examples=8, deadline=None)
@given(MOMENTS)
def test_questions_about_a_piece_of_a_world_are_those_of_the_world(moment):
    name, seed, start, frames = moment
    world, shown = open_world(name, seed), piece(moment)
    last = frames * FRAME
    for task in ("colour", "count", "direction", "where", "exist"):
        there = ask(Moment(world, start + last, start), task, np.random.default_rng(3))
        here = ask(Moment(shown, last, 0.0), task, np.random.default_rng(3))
        if there is None or here is None:
            continue  # what happened before the piece is not known in it
        assert (here.text, here.answer) == (there.text, there.answer)


def test_a_stretch_with_a_sign_is_not_flipped_but_may_be_reversed():
    (made,) = told(counts, 1)
    shown = stretch(made, made[0].born, 3.0, Backdrop(1, REAL))
    with pytest.raises(ValueError, match="mirror"):
        flipped(shown)
    assert backwards(backwards(shown)) == shown


def test_swapped_halves_show_each_half_in_its_place():
    rng = np.random.default_rng(5)
    halves = []
    for radius in (0.1, 0.13):
        (thing,) = stands(rng, 0.5, open_world("shapes").mood.cast) or []
        way = replace(thing.track, radius=(radius,))
        thing = replace(thing, gone=1.5, track=way)
        halves.append(stretch([thing], 0.0, 1.75, Backdrop(2, REAL)))
    one, other = swapped(*halves, gap=FRAME)
    assert one.last == other.last == 3.75
    mine, theirs = ([line[:2] for line in log(shown)] for shown in (one, other))
    assert len(mine) == 4
    assert mine == theirs[2:] + theirs[:2]
    apart = replace(one, backdrop=Backdrop(2, (1.0, 0.0, 0.0, 0.0)))
    frames = film(apart)
    assert np.abs(frames[:8] - frames[8]).max() > 20
    with pytest.raises(ValueError, match="half"):
        swapped(replace(halves[0], last=1.0), halves[1], gap=FRAME)
