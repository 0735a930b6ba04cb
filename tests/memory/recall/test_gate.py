"""Which questions open the archive, in the words in which questions about worlds are put."""

from __future__ import annotations

import pytest

from memory.recall.gate import GATES, Always, PastTense
from worlds.vocabulary import MOTIONS
from worlds.wording import NOW, QUESTIONS, STANDING

# What stands in the gaps of each task's wordings.
FILLED = {
    "name": ["at the left", "at the top left", "at the center", "moving", "moving left"],
    "order": ["first", "last", "before the red ball", "after the red ball"],
    "when": ["did the red ball appear", "was the box opened", "did the hand take the cup"],
    "alert": ["something appears", "the cat leaves", "the box is opened", "the number changes"],
    "where": ["ball", "moving ball", "ball moving left"],
}
STAY_SHUT = [task for task in QUESTIONS if task in (*NOW, *STANDING, "moving")]
OPEN = [task for task in QUESTIONS if task not in STAY_SHUT]


def questions(task: str) -> list[str]:
    return [
        words.format(gap, "open")
        for words in QUESTIONS[task]
        for gap in FILLED.get(task, ["red ball"])
    ]


@pytest.mark.parametrize("task", STAY_SHUT)
def test_no_question_about_now_and_no_standing_one_opens_the_archive(task):
    assert [text for text in questions(task) if PastTense().opens(text)] == []


@pytest.mark.parametrize("task", OPEN)
def test_every_question_about_the_past_opens_it(task):
    shut = [text for text in questions(task) if not PastTense().opens(text)]
    assert shut == (["What is new?"] if task == "appeared" else []), "what is new is there now"


def test_tasks_are_sorted_into_both_kinds():
    assert {"colour", "name", "alert"} <= set(STAY_SHUT)
    assert {"recall", "when", "order", "total"} <= set(OPEN)


@pytest.mark.parametrize("motion", sorted(MOTIONS))
def test_a_direction_is_not_a_departure(motion):
    assert not PastTense().opens(f"Is the ball moving {motion}?")
    assert not PastTense().opens(f"What is going {motion}?")


@pytest.mark.parametrize(
    "text",
    [
        "Who left?", "Has the dog left?", "Which animals have left?", "WHAT HAPPENED?",
        "Was there a dog?", "Where were my keys?", "What did she carry at 9?",
        "Who took the parcel?", "How many cars passed?", "Who entered this morning?",
        "Anyone at the door at 10:30?",
        "Have you seen a cat?", "Did anyone come in the morning?", "What changed?",
    ],
)  # fmt: skip
def test_words_of_the_past_open_it_however_they_are_written(text):
    assert PastTense().opens(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "What is left of the box?", "Is the door on the left open?", "Is it lasting?",
        "Warn me when it rains.", "Let me know when the bus comes.", "Wash the car.",
    ],
)  # fmt: skip
def test_words_that_only_look_like_it_do_not(text):
    assert not PastTense().opens(text)
    assert Always().opens(text)


def test_gates_are_told_apart_by_their_method():
    assert len({gate().method for gate in GATES}) == len(GATES)
