"""Questions about worlds: sure, unambiguous, and answered from the script."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from worlds.questions import QUIET, ask, clear
from worlds.vocabulary import COLOURS, DIRECTIONS, PLACES, SHAPES
from worlds.wording import NUMBERS, TASKS, normal, plural, say_list, with_article
from worlds.world import World

SEEDS = st.integers(0, 20_000)
MOMENTS = st.floats(9, 170, allow_nan=False)


def meant(text: str, world: World, t: float):
    """The things in view that a question's words fit, found by reading the words."""
    words = set(re.findall(r"[a-z]+", text.lower()))
    colours, shapes = words & set(COLOURS), words & set(SHAPES)
    return [
        thing
        for thing in world.seen(t)
        if colours <= {thing.colour} and shapes <= {thing.shape} and (colours or shapes)
    ]


@settings(max_examples=150, deadline=None)
@given(SEEDS, MOMENTS, st.sampled_from(["colour", "shape", "where", "direction"]))
def test_a_question_about_one_thing_means_exactly_one_and_the_answer_is_true(seed, t, task):
    world = World(seed)
    assume(clear(world, t))
    question = ask(world, t, t - 8, task, np.random.default_rng(seed))
    assume(question is not None)
    things = meant(question.text, world, t)
    assert len(things) == 1, (question, things)
    thing, answer = things[0], normal(question.answer)
    if task == "colour":
        assert answer == f"it is {thing.colour}"
    elif task == "shape":
        assert answer == f"it is {with_article(thing.shape)}"
    elif task == "direction":
        said = "it is not moving" if thing.heading == "still" else f"it is moving {thing.heading}"
        assert answer == said
    else:
        x, y = thing.at(t)
        row = next(
            n for n, names in enumerate(PLACES) if answer.removeprefix("it is at the ") in names
        )
        assert row == int(3 * y)
        assert PLACES[row][int(3 * x)] == answer.removeprefix("it is at the ")


@settings(max_examples=100, deadline=None)
@given(SEEDS, MOMENTS)
def test_counts_and_existence_are_those_in_view(seed, t):
    world, rng = World(seed), np.random.default_rng(seed)
    assume(clear(world, t))
    count = ask(world, t, t - 8, "count", rng)
    assert count is not None
    singular = count.text.lower()
    for shape in SHAPES:
        singular = singular.replace(plural(shape), shape)
    generic = not set(re.findall(r"[a-z]+", singular)) & {*COLOURS, *SHAPES}
    number = len(world.seen(t)) if generic else len(meant(singular, world, t))
    assert normal(count.answer).split()[-1] == NUMBERS[number]
    exist = ask(world, t, t - 8, "exist", rng)
    assume(exist is not None)
    assert normal(exist.answer) == ("yes" if meant(exist.text, world, t) else "no")


@settings(max_examples=100, deadline=None)
@given(SEEDS, MOMENTS, st.floats(1, 9))
def test_what_appeared_last_is_the_newest_arrival_in_the_remembered_time(seed, t, back):
    world = World(seed)
    assume(clear(world, t))
    question = ask(world, t, t - back, "appeared", np.random.default_rng(seed))
    assume(question is not None)
    came = [e for e in world.events(t - back, t) if e.kind == "appeared"]
    if not came:
        assert question.answer == "Nothing new."
        return
    assert normal(question.answer) == normal(with_article(came[-1].thing.name))
    assert all(t - e.t >= QUIET for e in came)


@settings(max_examples=60, deadline=None)
@given(SEEDS, MOMENTS)
def test_nothing_comes_goes_or_crosses_the_edge_at_a_clear_moment(seed, t):
    world = World(seed)
    assume(clear(world, t))
    assert world.seen(t - 0.3) == world.seen(t)
    assert all(abs(thing.depth(t)) >= 0.5 for thing in world.things(t))


def test_every_task_is_asked_and_no_answer_dominates_where_many_are_possible():
    rng = np.random.default_rng(3)
    answers: dict[str, Counter[str]] = {task: Counter() for task in TASKS}
    for seed in range(250):
        world = World(seed)
        for t in rng.uniform(9, 55, 4):
            if not clear(world, t):
                continue
            for task in TASKS:
                if question := ask(world, t, t - 8, task, rng):
                    answers[task][question.answer] += 1
    for task, most in {"colour": 0.25, "shape": 0.25, "where": 0.3, "exist": 0.6, "count": 0.5,
                       "direction": 0.55, "appeared": 0.1}.items():  # fmt: skip
        total = answers[task].total()
        assert total > 100
        assert answers[task].most_common(1)[0][1] / total < most, (task, answers[task])
    assert len(answers["direction"]) == 1 + len(DIRECTIONS)


def test_the_same_generator_asks_the_same_questions():
    world = World(4)
    t = next(t for t in np.arange(9, 50, 0.3) if clear(world, t))
    pair = [
        [ask(world, t, t - 5, task, np.random.default_rng(8)) for task in TASKS] for _ in range(2)
    ]
    assert pair[0] == pair[1]


@pytest.mark.parametrize(
    ("said", "same"),
    [("It is Red.", "it is red"), ("Yes!", "yes"), ("  A   red star ", "A red star.")],
)
def test_exact_match_forgives_case_punctuation_and_spaces_only(said, same):
    assert normal(said) == normal(same)
    assert normal("a red star") != normal("a red ring")


def test_lists_read_as_english():
    assert say_list([]) == "I see nothing."
    assert say_list(["orange star"]) == "I see an orange star."
    assert say_list(["red star", "blue ring", "pink cross"]) == (
        "I see a red star, a blue ring and a pink cross."
    )
