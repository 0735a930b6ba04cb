"""Scenes: never trained on, repeatable, and on the clock that the engine writes."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from core.frames import Frame, Segment
from evaluation import recall, recent, standing
from evaluation.responders import Excerpt, night
from evaluation.scenes import FRAMES, MOST, SEEDS, Scene, held_out
from evaluation.suites import SUITES
from tests.tiny import ours
from worlds.catalog import HELD_OUT, MOODS, open_world
from worlds.questions.moment import clear
from worlds.vocabulary import SHAPES
from worlds.vocabulary import held_out as never_trained
from worlds.wording import NOW, PAST, STANDING

RATES = st.sampled_from([2.0, 4.0])


def scene_of(start: float, steps: int, fps: float) -> Scene:
    return Scene(open_world("shapes", HELD_OUT), "demo:shapes", start, steps, fps)


@pytest.mark.parametrize("fps", [2.0, 4.0])
def test_a_scenes_stamps_are_those_that_the_engine_writes(fps):
    scene = scene_of(7.25, 12, fps)
    dark = np.zeros((64, 64, 3), np.uint8)
    frames = tuple(Frame(k / fps, 0.0, dark) for k in range(FRAMES * scene.steps))
    times = ours().encode([Segment(0, frames)])[0].times
    assert [f"{t:.1f}" for t in times] == [f"{scene.stamp(s):.1f}" for s in range(scene.steps)]


@given(st.integers(0, 1200), st.integers(2, 64), RATES, st.floats(0, 64))
def test_an_event_shows_first_in_the_first_step_that_ended_after_it(start, steps, fps, later):
    scene = scene_of(start / fps, steps, fps)
    t = scene.start + later
    ended = [step for step in range(steps) if scene.end(step) >= t]
    assert scene.shown(t) == scene.stamp(ended[0] if ended else steps - 1)


@given(st.integers(0, 1200), st.integers(2, 64), RATES)
def test_a_question_is_put_when_its_step_is_whole_and_the_next_frame_is_not_there(start, n, fps):
    scene = scene_of(start / fps, n, fps)
    for step in range(n):
        newest = scene.end(step) - scene.start
        assert newest < scene.whole(step) == pytest.approx(newest + 1 / fps)


def test_worlds_of_all_sets_are_beyond_training_and_no_two_sets_share_one():
    sets = [
        {world.seed for world, _, _ in islice(held_out(seed, place, list(MOODS)), 40)}
        for seed in (0, 1, SEEDS - 1)
        for place in range(4)
    ]
    assert all(seed >= HELD_OUT for one in sets for seed in one)
    assert len(set().union(*sets)) == sum(map(len, sets))
    with pytest.raises(ConfigError, match="--seed 100"):
        next(held_out(SEEDS, 0, list(MOODS)))
    assert SEEDS * MOST * len(SUITES) < 20_000_000 - HELD_OUT  # where the demo worlds are


@pytest.mark.parametrize("name", list(SUITES))
def test_scenes_are_the_same_every_time_and_others_with_another_seed(name):
    suite = SUITES[name]

    def taken(seed):
        pairs = islice(suite.footage.draw(seed, suite.tasks), 4)
        return [(scene.url, scene.start, scene.steps, texts(asked)) for scene, asked in pairs]

    assert taken(3) == taken(3)
    assert not {url for url, *_ in taken(3)} & {url for url, *_ in taken(4)}


def texts(asked) -> list[str]:
    return [one.text if hasattr(one, "text") else one.question.text for one in asked]


def test_recent_scenes_have_clear_ends_and_one_question_of_a_task():
    for scene, posed in islice(recent.recent(0, (*NOW, *PAST)), 12):
        assert recent.STEPS[0] <= scene.steps <= recent.STEPS[1]
        assert clear(scene.world, scene.end(scene.steps - 1))
        tasks = [one.task for one in posed]
        assert len(set(tasks)) == len(tasks)
        assert {one.step for one in posed} == {scene.steps - 1}


def test_the_stretch_watched_does_not_depend_on_the_tasks_chosen():
    both = islice(recent.recent(2, (*NOW, *PAST)), 8)
    now = {scene.url: (scene, posed) for scene, posed in islice(recent.recent(2, NOW), 8)}
    for scene, posed in both:
        other, fewer = now[scene.url]
        assert (other.start, other.steps) == (scene.start, scene.steps)
        assert {one.question.text for one in fewer} <= {one.question.text for one in posed}


def test_rare_tasks_are_asked_often_enough_to_judge_them():
    drawn = list(islice(recent.recent(1, (*NOW, *PAST)), 30))
    asked = [one.task for _, posed in drawn for one in posed]
    assert all(asked.count(task) >= 2 for task in ("read", "state", "happened", "taken", "order"))


def test_held_out_questions_are_only_about_pairs_never_trained_on():
    found = list(islice(recent.unseen_pairs(0, NOW), 15))
    assert found
    for scene, posed in found:
        t = scene.end(scene.steps - 1)
        for one in posed:
            assert one.question.about
            for thing in one.question.about:
                look = thing.look(t)
                shape = look.noun in SHAPES
                assert never_trained(look.noun, look.colour if shape else thing.motion(t))


def test_long_scenes_ask_nothing_twice_and_know_how_old_the_evidence_is():
    drawn = list(islice(recall.long_ago(0, recall.TASKS), 10))
    ages = [one.age for _, posed in drawn for one in posed]
    assert all(0 <= age <= recall.AGES[-1] for age in ages)
    assert max(ages) > 16
    for scene, posed in drawn:
        assert scene.steps * scene.step_seconds <= 64
        assert len({one.question.text for one in posed}) == len(posed)


def test_standing_questions_meet_events_in_about_half_of_the_scenes_and_one_never_does():
    watched = list(islice(standing.standing(0, STANDING), 40))
    first = [bool(vigils[1].due) for _, vigils in watched]
    assert 6 <= sum(first) <= 26
    for scene, vigils in watched:
        note, _, absent = vigils
        assert (note.task, absent.due, absent.unjudged) == ("note", (), ())
        borders = (note.asked[0] - scene.step_seconds, note.asked[-1] - standing.NEAR)
        assert all(borders[0] <= due.t < borders[1] for due in note.due)
        assert len(note.asked) == scene.steps - 1


def test_an_excerpt_shows_the_world_from_its_start_and_nothing_after_its_end():
    scene = scene_of(9.5, 6, 4.0)
    film = Excerpt(scene)
    assert np.array_equal(film.frame(1.25, (96, 96)), scene.world.frame(10.75, (96, 96)))
    assert not film.frame(scene.whole(5), (96, 96)).any()
    dark = night(6, 4.0)
    assert not Excerpt(dark).frame(0.5, (96, 96)).any()
