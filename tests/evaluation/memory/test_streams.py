"""What delayed questions and long scenes are made of, held against the event log."""

from __future__ import annotations

from itertools import islice, pairwise

import numpy as np
import pytest

from evaluation.memory.delayed import EVIDENCE, GAPS, LOOKING, MOST, delayed, schedule
from evaluation.memory.moments import EVERY, FIRST, STEPS, TASKS, now
from evaluation.memory.moments import MOST as QUESTIONS
from evaluation.memory.streams import FPS, STEP, of_scene
from evaluation.memory.suites import SUITES
from evaluation.recall import long_ago
from worlds.catalog import HELD_OUT
from worlds.questions.moment import QUIET
from worlds.vocabulary import SHAPES, SIGN


@pytest.fixture(scope="module")
def some():
    return list(islice(delayed(3), 4))


def nouns(world, start, end):
    things = {event.thing for event in world.events(start, end)}
    return {look.noun for thing in things for _, look in thing.looks}


def test_the_filler_shows_no_sign_and_no_shape_that_was_shown_before(some):
    for one in some:
        begins = one.start + EVIDENCE
        shown = nouns(one.shown, one.start, begins) & set(SHAPES)
        about = {q.about[0].looks[0][1].noun for q in one.questions}
        assert about <= shown | {SIGN}
        for since in (0.0, 3480.0, 43_000.0):
            later = nouns(one.filler, begins + since, begins + since + 120)
            assert later, "a filler in which nothing happens would be no filler"
            assert not later & (shown | {SIGN})


def test_other_shapes_do_play_in_the_filler(some):
    assert any(nouns(one.filler, one.start, one.start + 300) & set(SHAPES) for one in some)


def test_what_is_asked_about_was_in_view_and_has_gone_before_the_filler_begins(some):
    for one in some:
        assert len({q.about[0].born for q in one.questions}) == len(one.questions) <= MOST
        for question in one.questions:
            thing = question.about[0]
            assert one.start <= thing.leaves <= one.start + EVIDENCE - QUIET
            look = thing.looks[-1][1]
            assert (look.state if look.noun == SIGN else look.colour) in question.answer


def test_questions_are_put_when_the_gap_is_over_and_not_a_step_later(some):
    for one in some:
        stream = one.stream()
        assert {put.gap for put in stream.puts} == set(GAPS)
        for put in stream.puts:
            assert stream.asked(put.step) == EVIDENCE + put.gap - 1 / FPS
            assert put.gap <= put.age <= put.gap + EVIDENCE
            assert 0 < put.lasted <= EVIDENCE - (put.age - put.gap) + 1e-6
        assert stream.moments == tuple(sorted(stream.moments))


def test_steps_never_overlap_and_the_camera_looks_ever_more_rarely():
    steps = schedule()
    apart = [after - before for before, after in pairwise(steps)]
    assert min(apart) == STEP
    assert apart == sorted(apart)
    for (until, every), (before, _) in zip(LOOKING[1:], LOOKING, strict=False):
        inside = [t for t in steps if EVIDENCE + before < t < EVIDENCE + until]
        assert len(inside) == round((until - before) / every)
    unbroken = [t for t in steps if t < EVIDENCE + LOOKING[0][0]]
    assert np.allclose(np.diff(unbroken), STEP), "the first minutes are watched without a break"


def test_the_picture_changes_its_things_but_not_its_scenery_when_the_filler_begins(some):
    one = some[0]
    before = one.picture(EVIDENCE - 1 / FPS).astype(float)
    after = one.picture(EVIDENCE).astype(float)
    assert before.shape == after.shape
    # Most of the picture is background, which is the same but for its noise.
    assert np.median(np.abs(before - after)) < 12


def test_streams_are_the_same_every_time_and_of_no_world_that_is_trained_on(some):
    again = list(islice(delayed(3), 4))
    for one, other in zip(some, again, strict=True):
        assert one.stream().name == other.stream().name
        assert one.stream().puts == other.stream().puts
        assert (one.picture(20.0) == other.picture(20.0)).all()
        assert one.shown.seed >= HELD_OUT
    assert some[0].stream().name != next(delayed(4)).stream().name


def test_perception_is_asked_about_only_when_every_memory_is_full():
    for scene, posed in islice(now(2), 2):
        assert scene.steps == STEPS
        assert 0 < len(posed) <= QUESTIONS
        for one in posed:
            assert one.task in TASKS
            assert one.step >= FIRST
            assert (one.step - FIRST) % EVERY == 0
            made = (scene.question(one.step, one.task), one.question)
            assert made[0].answer == made[1].answer


def test_a_scene_is_watched_step_by_step_up_to_its_last_question():
    scene, posed = next(long_ago(2, ("recall", "when")))
    stream = of_scene((scene, posed), aged=True)
    assert len(stream.steps) == 1 + max(one.step for one in posed)
    assert [put.age for put in stream.puts] == [one.age for one in posed]
    last = stream.puts[-1].step
    assert scene.start + stream.asked(last) == scene.end(last)
    assert (stream.picture(1.5) == scene.world.frame(scene.start + 1.5, (192, 192))).all()


def test_suites_share_no_world():
    names = [next(suite.draw(0)).name for suite in SUITES.values()]
    seeds = {name.split("seed=")[1].split("&")[0] for name in names}
    assert len(seeds) == len(SUITES)
