"""What is right, and how likely it is by luck."""

from __future__ import annotations

from itertools import pairwise
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.clips.kinds import KINDS
from evaluation.clips.questions import Question
from evaluation.clips.scoring import Reply, at_least, by_kind, row


def reply(kind: str, truth: str, answer: str, blank: str = "", passage: int = 0) -> Reply:
    question = Question("film.mp4", passage, kind, KINDS[kind].text, 1.0, truth)
    return Reply(question, answer, blank)


@pytest.mark.parametrize(
    ("kind", "answer", "said"),
    [
        ("moving", "Yes.", "yes"),
        ("moving", "No, nothing is.", "no"),
        ("moving", "Yes and no.", None),
        ("moving", "", None),
        ("direction", "It is moving up.", "up"),
        ("direction", "It is moving up left.", None),
        ("direction", "It is not moving.", None),
        ("colour", "It is White.", "white"),
        ("colour", "It is red or white.", None),
        ("colour", "It is reddish.", None),
        ("count", "There are none.", "0"),
        ("count", "There is one.", "1"),
        ("count", "There are 2 of them.", "2"),
        ("count", "There are seven.", "7"),
        ("count", "One or two.", None),
        ("count", "Many.", None),
    ],
)
def test_an_answer_says_one_thing_or_nothing(kind, answer, said):
    assert KINDS[kind].read(answer, KINDS[kind].options) == said


def test_a_row_holds_the_answers_beside_black_video_a_fixed_answer_and_guessing():
    found = row(
        [
            reply("colour", "red", "It is red.", "It is red."),
            reply("colour", "red", "It is blue.", "It is red."),
            reply("colour", "blue", "It is blue.", "It is red.", passage=1),
            reply("colour", "white", "It is nothing.", "It is red.", passage=1),
        ]
    )
    assert (found["accuracy"], found["right"], found["n"], found["passages"]) == (0.5, 2, 4, 2)
    assert (found["blank"], found["most_frequent"], found["chance"]) == (0.5, 0.5, 0.25)
    assert found["unread"] == 1
    assert found["near"] is None
    assert found["p_chance"] == pytest.approx(1 - 0.75**4 - 4 * 0.25 * 0.75**3)
    assert found["p_most_frequent"] == pytest.approx(11 / 16)


def test_numbers_are_also_scored_within_one_beside_the_chance_of_that():
    found = row(
        [
            reply("count", "0", "There is one."),
            reply("count", "1", "There is one."),
            reply("count", "2", "There are none."),
            reply("count", "2", "There are three."),
        ]
    )
    assert found["accuracy"] == 0.25
    assert found["near"]["accuracy"] == 0.75
    assert found["near"]["chance"] == pytest.approx((2 / 3 + 1 + 2 / 3 + 2 / 3) / 4)


def test_all_kinds_together_take_each_question_at_its_own_chance():
    table = by_kind([reply("moving", "yes", "Yes."), reply("colour", "red", "It is red.")])
    assert list(table) == ["moving", "colour", "all"]
    assert table["all"]["p_chance"] == pytest.approx(0.5 * 0.25)
    assert table["all"]["chance"] == pytest.approx(0.375)


@given(st.integers(1, 60), st.integers(2, 5), st.data())
def test_luck_is_the_binomial_tail_where_all_chances_are_equal(n, options, data):
    right = data.draw(st.integers(0, n))
    p = 1 / options
    tail = sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(right, n + 1))
    assert at_least(right, [p] * n) == pytest.approx(tail, abs=1e-12)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_luck_shrinks_with_every_further_right_answer(chances):
    tail = [at_least(right, chances) for right in range(len(chances) + 2)]
    assert tail[0] == pytest.approx(1)
    assert tail[-1] == 0
    assert all(a >= b - 1e-12 for a, b in pairwise(tail))


def test_nothing_has_no_figures():
    with pytest.raises(ValueError, match="no replies"):
        row([])
