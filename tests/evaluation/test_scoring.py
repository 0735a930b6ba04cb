"""Scores: what exact match counts, and what stands beside it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.catalog import EVALUATIONS
from evaluation.embedded import GATES, score
from evaluation.scenes import STEP_SECONDS, held_out
from evaluation.scoring import Scores, lines, passed
from worlds.catalog import HELD_OUT
from worlds.questions import Question, clear
from worlds.wording import TASKS

ANSWERS = st.sampled_from(["It is red.", "It is blue.", "Yes.", "No."])


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), ANSWERS, ANSWERS, ANSWERS), min_size=1))
def test_shares_lie_in_0_to_1_and_counts_add_up(rows):
    scores = Scores()
    right = [scores.add(Question(t, "?", truth), said, blank) for t, truth, said, blank in rows]
    table = scores.table()
    assert sum(row["n"] for row in table.values()) == len(rows)
    assert sum(row["accuracy"] * row["n"] for row in table.values()) == pytest.approx(sum(right))
    for row in table.values():
        assert all(0 <= row[key] <= 1 for key in ("accuracy", "blank", "most_frequent"))
        assert row["most_frequent"] >= 1 / row["n"]


@given(st.lists(ANSWERS, min_size=1))
def test_saying_the_truth_scores_one_and_the_constant_answer_scores_the_most_frequent(truths):
    honest, constant = Scores(), Scores()
    common = max(truths, key=truths.count)
    for truth in truths:
        honest.add(Question("t", "?", truth), truth.upper(), "")
        constant.add(Question("t", "?", truth), common, common)
    assert honest.table()["t"]["accuracy"] == 1
    assert honest.table()["t"]["blank"] == 0
    row = constant.table()["t"]
    assert row["accuracy"] == row["blank"] == row["most_frequent"]


def test_a_gate_is_met_only_by_a_task_that_was_asked():
    table = {"colour": {"accuracy": 0.95, "n": 10, "blank": 0.1, "most_frequent": 0.2}}
    assert passed(table, {"colour": 0.9})
    assert not passed(table, {"colour": 0.96})
    assert not passed(table, {"colour": 0.9, "shape": 0.9})
    assert "BELOW GATE" in "\n".join(lines(table, {"colour": 0.96}))


def test_scenes_are_beyond_all_training_repeatable_and_clear():
    first, again = (list(held_out(3, 12, TASKS)) for _ in range(2))
    assert [s.questions for s in first] == [s.questions for s in again]
    assert len({scene.world.seed for scene in first}) == 12
    for scene in first:
        assert scene.world.seed >= HELD_OUT
        assert clear(scene.world, scene.end - STEP_SECONDS / 2)
        tasks = [question.task for question in scene.questions]
        assert len(set(tasks)) == len(tasks)
    others = {scene.world.seed for scene in held_out(4, 12, TASKS)}
    assert not others & {scene.world.seed for scene in first}


class Oracle:
    """Knows the truth of every scene while it is light, and says nothing in the dark."""

    async def answers(self, scene, texts, blank):
        truth = {question.text: question.answer for question in scene.questions}
        return ["" if blank else truth[text] for text in texts]


async def test_an_oracle_scores_all_and_leaves_no_mistakes():
    table, mistakes = await score(Oracle(), list(held_out(1, 10, TASKS)))
    assert mistakes == []
    assert all(row["accuracy"] == 1 and row["blank"] == 0 for row in table.values())
    assert set(GATES) <= set(table)


class Parrot:
    """Says the same whatever it sees."""

    async def answers(self, scene, texts, blank):
        return ["Yes." for _ in texts]


async def test_a_parrot_scores_no_more_than_its_blank_and_its_mistakes_can_be_looked_up():
    table, mistakes = await score(Parrot(), list(held_out(1, 10, TASKS)))
    assert all(row["accuracy"] == row["blank"] for row in table.values())
    assert all(m["world"].startswith("demo:") and m["answer"] == "Yes." for m in mistakes)
    assert not passed(table, GATES)


def test_the_catalog_offers_it():
    assert "embedded" in EVALUATIONS
