"""Clauses of time: questions as people ask them, the stretch each means and what is left to ask."""

from __future__ import annotations

import pytest
import torch

from core.tokens import Grid, VisualTokens
from pruning.selectors.clauses import Clause, read, rows_within

NOW = 600.0


@pytest.mark.parametrize(
    ("question", "start", "stop", "left"),
    [
        ("What fell in the last 30 seconds?", 570, 600, "What fell?"),
        ("In the past two minutes, who came in?", 480, 600, "Who came in?"),
        ("Over the last minute how many cars passed?", 540, 600, "How many cars passed?"),
        ("Did anything move within the last 1.5 min on the left?", 510, 600,
         "Did anything move on the left?"),
        ("Was it dark for the last half an hour?", 0, 600, "Was it dark?"),
        ("what happened during the last 20s", 580, 600, "What happened"),
        ("What was on the desk in the first 10 seconds?", 0, 10, "What was on the desk?"),
        ("What was there 5 minutes ago?", 270, 330, "What was there?"),
        ("Ten seconds ago, what fell?", 585, 595, "What fell?"),
        ("Who was there about a minute ago?", 534, 546, "Who was there?"),
        ("What changed between 1:30 and 2:00?", 90, 120, "What changed?"),
        ("From 0:10 to 0:20, what moved?", 10, 20, "What moved?"),
        ("What happened since 9:00?", 540, 600, "What happened?"),
        ("Who came after 0:05:30?", 330, 600, "Who came?"),
        ("Before 1:00, was the lamp on?", 0, 60, "Was the lamp on?"),
        ("What was it at 9:40?", 575, 585, "What was it?"),
        ("IN THE LAST 10 SECONDS WHAT FELL?", 590, 600, "WHAT FELL?"),
    ],
)  # fmt: skip
def test_a_clause_is_read_and_taken_out(question, start, stop, left):
    clause = read(question, NOW)
    assert clause is not None
    assert (clause.start, clause.stop) == pytest.approx((start, stop))
    assert clause.question == left


@pytest.mark.parametrize(
    "question",
    [
        "What is on the desk?",
        "What happened after the door opened?",  # names an event
        "What is the last thing that fell?",
        "Who was first?",
        "What changed between 2:00 and 1:30?",  # no stretch at all
        "What happened after 11:00?",  # not yet
        "Did it move in the last minute or 5 minutes ago?",  # two
        "In the last minute?",  # nothing left to ask
        "What does the sign at 1:300 say?",
        "Is anyone at home for the last time?",
        "What was there in the last 0 seconds?",
        "",
    ],
)
def test_a_question_without_one_clear_clause_is_left_alone(question):
    assert read(question, NOW) is None


def test_a_stretch_ends_where_the_stream_does():
    assert read("What fell in the last hour?", NOW)[:2] == (0.0, NOW)
    assert read("What was it at 9:58?", NOW)[:2] == (593.0, NOW)


def test_the_tokens_of_a_stretch_are_those_of_its_steps():
    index = torch.tensor([0, 3, 4, 7, 8, 9, 15])
    bank = VisualTokens(torch.ones(7, 2), index, Grid(4, 2, 2), (1.0, 3.0, 5.0, 7.0))
    assert rows_within(bank, Clause(3.0, 6.0, "")).tolist() == [2, 3, 4, 5]
    assert rows_within(bank, Clause(7.5, 9.0, "")).tolist() == []
    assert rows_within(bank, Clause(0.0, 9.0, "")).tolist() == list(range(7))
