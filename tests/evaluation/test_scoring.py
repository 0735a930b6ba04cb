"""Scores of answers: what counts as right, and what stands beside it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.gates import BLANK, GATES, PAIRED, STANDING, passed, verdicts
from evaluation.rows import Row, Rows
from evaluation.scoring import by_age, line, mistakes, right, seconds, table
from worlds.wording import say_time

ANSWERS = st.sampled_from(["It is red.", "It is blue.", "Yes.", "No."])


def row(task="t", truth="Yes.", answer="Yes.", blank=None, question="?", age=None) -> Row:
    return Row(task, question, truth, answer, "demo:desk?seed=1", 3.0, 9.0, True, age, blank)


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), ANSWERS, ANSWERS, ANSWERS), min_size=1))
def test_shares_lie_in_0_to_1_inside_their_intervals_and_counts_add_up(made):
    found = table(row(*one) for one in made)
    assert sum(one["n"] for one in found.values()) == len(made)
    for one in found.values():
        assert 0 <= one["low"] <= one["accuracy"] <= one["high"] <= 1
        assert 1 / one["n"] <= one["most_frequent"] <= one["words"] <= 1
        assert 0 <= one["blank"] <= 1


@given(st.lists(ANSWERS, min_size=1))
def test_saying_the_truth_scores_one_and_the_constant_answer_the_most_frequent(truths):
    common = max(truths, key=truths.count)
    honest = line([row(truth=truth, answer=truth.upper(), blank="") for truth in truths])
    constant = line([row(truth=truth, answer=common, blank=common) for truth in truths])
    assert (honest["accuracy"], honest["blank"]) == (1, 0)
    assert constant["accuracy"] == constant["blank"] == constant["most_frequent"]


@given(st.floats(1, 64), st.floats(0, 3), st.booleans())
def test_a_time_is_right_within_a_second(true, off, later):
    said = round(true, 1) + round(off, 1) * (1 if later else -1)
    if said >= 0:
        near = round(abs(said - round(true, 1)), 1) <= 1
        assert right("when", say_time(true), say_time(said)) == near


def test_a_time_is_read_out_of_what_is_said_and_silence_names_none():
    assert seconds("At 12.3 seconds.") == seconds("It was at 12.3 seconds, I think") == 12.3
    assert seconds("at 1 second") == 1
    assert seconds("At noon.") is None
    assert not right("when", "At 3.0 seconds.", "")
    assert not right("when", "At 3.0 seconds.", "I have not seen that.")


def test_a_constant_time_may_be_right_about_all_that_is_near_it():
    found = line([row("when", say_time(t), "") for t in (2.0, 2.9, 3.6, 9.0)])
    assert found["most_frequent"] == 0.75


def test_exactness_of_times_is_reported_apart():
    found = line(
        [row("when", "At 3.0 seconds.", said) for said in ("At 3.4 seconds.", "At 3.0 seconds.")]
    )
    assert (found["accuracy"], found["exact"]) == (1, 0.5)


def test_what_the_words_of_a_question_give_away_is_told():
    choices = [
        row("order", "A red star.", "", question="What came first, the red star or the blue ring?"),
        row("order", "A pink drop.", "", question="What came last, the pink drop or the red star?"),
    ]
    assert line(choices)["most_frequent"] == 1  # the first of the two
    mixed = [*choices, row("order", "A red ring.", "", question="What came before the red drop?")]
    assert line(mixed)["words"] == 1
    assert line(mixed)["most_frequent"] == pytest.approx(1 / 3)
    fates = [
        row("happened", "It was opened.", "", question="What happened to the box?"),
        row("happened", "It was turned on.", "", question="what happened to the lamp"),
    ]
    assert (line(fates)["words"], line(fates)["most_frequent"]) == (1, 0.5)


def test_ages_are_told_apart_and_those_nobody_asked_about_left_out():
    found = by_age([row(age=3.0), row(age=16.0, answer="No."), row(age=31.9)], (16.0, 32.0, 64.0))
    assert {age: tasks["t"]["accuracy"] for age, tasks in found.items()} == {
        "0-16 s": 1,
        "16-32 s": 0.5,
    }


def test_mistakes_are_sampled_from_every_task_and_can_be_looked_up():
    rows = [row("a", answer="No.")] * 9 + [row("b", answer="No."), row("c")]
    found = mistakes(rows, 2)
    assert [one["task"] for one in found] == ["a", "a", "b"]
    assert found[0]["world"].startswith("demo:")
    assert (found[0]["from"], found[0]["to"]) == (3.0, 9.0)


TRUTHS = {
    "when": ["At 9.0 seconds."],
    "happened": ["It was taken.", "It was opened.", "It jumped."],
}


def rows_of(right_share: float) -> dict[str, Rows]:
    made = {}
    for suite, task in dict.fromkeys((g.suite, t) for g in GATES.values() for t in g.tasks):
        truths = TRUTHS.get(task, ["Yes."])
        for n in range(300):
            truth = truths[n % len(truths)]
            answer = truth if n < 300 * right_share else "No."
            made.setdefault(suite, Rows()).asked.append(row(task, truth, answer, "No."))
    return made


def tables_of(suites: dict[str, Rows], f1: float):
    tables = {name: table(rows.asked) for name, rows in suites.items()}
    return {**tables, "standing": {"standing": {"f1": f1, "blank": None}}}


def test_all_gates_are_met_by_what_is_good_and_none_by_what_is_not_measured():
    good = rows_of(0.97)
    found = verdicts(good, tables_of(good, 0.8), 0.7)
    assert passed(found)
    assert set(found) == {*GATES, STANDING, PAIRED, BLANK}
    assert not passed(verdicts(good, tables_of(good, 0.8), None))
    assert not any(one["met"] for one in verdicts({}, {}, None).values())


@pytest.mark.parametrize("name", list(GATES))
def test_each_gate_is_missed_when_its_own_rows_are_wrong_and_by_few_others(name):
    suites = rows_of(1.0)
    gate = GATES[name]
    suites[gate.suite].asked = [
        replace(one, answer="No idea.") if gate.judges(one) else one
        for one in suites[gate.suite].asked
    ]
    found = verdicts(suites, tables_of(suites, 1.0), 1.0)
    shared = {other for other, one in GATES.items() if set(one.tasks) & set(gate.tasks)}
    assert name in {other for other, verdict in found.items() if not verdict["met"]} <= shared


def test_of_what_happened_only_openings_and_closings_count_for_their_gate():
    suites = rows_of(1.0)
    jumps = [row("happened", "It jumped.", "No idea.")] * 900
    suites["past"].asked += jumps
    found = verdicts(suites, tables_of(suites, 1.0), 1.0)
    assert not found["happened"]["met"]
    assert found["open, close"]["met"]
    assert found["open, close"]["n"] == 100


def test_answers_that_need_no_picture_miss_the_gate_of_black_video():
    rows = [
        row("where", truth, truth, truth) for truth in ("It is at the top.", "It is at the left.")
    ]
    suites = {"now": Rows(asked=rows)}
    found = verdicts(suites, {"now": table(rows)}, None)[BLANK]
    assert (found["met"], found["above"]) == (False, ["now: where"])
    assert found["value"] == 0.5
