"""Questions about worlds: sure, repeatable, and answered as the log and the scene say."""

from __future__ import annotations

import numpy as np
import pytest

from worlds.catalog import MOODS, open_world
from worlds.questions.catalog import MAKERS, ask
from worlds.questions.moment import Moment, clear
from worlds.vocabulary import place
from worlds.wording import NOW, NUMBERS, SILENCE, say_event, with_article

WINDOW = 8.0  # seconds remembered


def found(task: str, moods: tuple[str, ...] = ("desk", "objects"), seeds: int = 12):
    """Moments at which the task has an answer, with the question."""
    rng, made = np.random.default_rng(3), []
    for mood in moods:
        for seed in range(seeds):
            world = open_world(mood, seed)
            for t in rng.uniform(WINDOW + 1, 55, 12):
                moment = Moment(world, float(t), float(t) - WINDOW)
                question = ask(moment, task, np.random.default_rng(seed))
                if question is not None:
                    made.append((moment, question))
    assert made, f"no {task} question in {moods}"
    return made


@pytest.mark.parametrize("task", MAKERS)
def test_the_same_moment_and_draws_give_the_same_question(task):
    moment, question = found(task, seeds=6)[0]
    assert question.task == task
    seed = next(s for s in range(6) if ask(moment, task, np.random.default_rng(s)) == question)
    assert ask(moment, task, np.random.default_rng(seed)) == question


@pytest.mark.parametrize("task", NOW)
def test_questions_about_now_are_asked_of_clear_pictures_only(task):
    assert all(clear(moment.stage, moment.t) for moment, _ in found(task, seeds=4))


def test_places_numbers_and_states_are_those_of_the_things_meant():
    for moment, question in found("where"):
        (thing,) = question.about
        assert question.answer == f"It is at the {place(*thing.at(moment.t))}."
    for moment, question in found("read", ("desk",)):
        (sign,) = (x for x in moment.seen if x.look(moment.t).noun == "sign")
        assert question.answer == f"It says {sign.look(moment.t).state}."
    for moment, question in found("state", ("desk",)):
        (thing,) = question.about
        asked = question.text.lower().rstrip("?").removesuffix(" now").split()[-1]
        assert question.answer == ("Yes." if thing.look(moment.t).state == asked else "No.")
    for _, question in found("count"):
        number = len(question.about)
        assert NUMBERS[number] in question.answer


def test_the_last_to_appear_and_the_order_of_arrivals_follow_the_log():
    for moment, question in found("appeared"):
        came = [e for e in moment.stage.events(moment.since, moment.t) if e.kind == "appeared"]
        name = came[-1].thing.look(came[-1].t).name if came else None
        expected = f"{with_article(name).capitalize()}." if name else "Nothing new."
        assert question.answer == expected
    for moment, question in found("order"):
        came = [e for e in moment.stage.events(moment.since, moment.t) if e.kind == "appeared"]
        names = [e.thing.look(e.t).name for e in came]
        answer = question.answer.rstrip(".").split(" ", 1)[1]
        text = question.text.lower().rstrip("?")
        if " before the " in text:
            assert names[names.index(text.split(" before the ")[1]) - 1] == answer
        elif " after the " in text:
            assert names[names.index(text.split(" after the ")[1]) + 1] == answer


def test_what_was_taken_and_when_it_happened_follow_the_log():
    for moment, question in found("taken", ("desk",)):
        (took,) = (e for e in moment.stage.events(moment.since, moment.t) if e.kind == "picked up")
        assert question.answer == f"{with_article(took.thing.look(took.t).name).capitalize()}."
    for moment, question in found("when"):
        times = [
            e.t for e in moment.stage.events(moment.since, moment.t) if e.thing in question.about
        ]
        assert question.at in times
        assert question.answer == f"At {question.at:.1f} seconds."


@pytest.mark.parametrize("task", ["note", "alert"])
def test_standing_questions_are_met_with_silence_unless_something_happens_with_the_step(task):
    spoken = 0
    for moment, question in found(task):
        now = moment.stage.events(moment.t - moment.step, moment.t)
        if question.answer == SILENCE:
            assert task == "alert" or not now
        elif not question.answer.startswith("There"):
            spoken += 1
            changed = [e for e in now if e.kind == "changed colour"]
            said = {say_event(e.kind, e.thing.look(e.t).name, e.detail) for e in now}
            assert question.answer in said or changed
    assert spoken


def test_what_was_never_there_is_asked_about_only_where_it_was_never_there():
    for moment, question in found("unseen", tuple(MOODS), seeds=3):
        words = question.text.lower()
        nouns = {look.noun for thing in moment.remembered() for _, look in thing.looks}
        assert not any(f" {noun}" in words.replace("?", " ").split("the ")[-1] for noun in nouns)
