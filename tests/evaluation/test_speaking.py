"""Speak or be silent: which words meet which moment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.rows import Due, Vigil
from evaluation.speaking import mistakes, scores, table

STEP = 0.5
ASKED = tuple(STEP * n + 0.75 for n in range(20))  # 0.75 to 10.25 s


def vigil(due=(), said=None, unjudged=(), blank=None, task="alert") -> Vigil:
    """Said: words by the time they are said."""
    words = tuple((said or {}).get(t, "") for t in ASKED)
    moments = tuple(Due(t, ("The lamp was turned on.",)) for t in due)
    return Vigil(task, "Tell me.", moments, tuple(unjudged), "demo:desk", 0, ASKED, words, blank)


def test_words_in_the_right_step_meet_their_moment():
    found = scores([vigil([3.0], {3.25: "the lamp was turned on"})])
    assert (found["f1"], found["f1_strict"], found["right_words"]["value"]) == (1, 1, 1)
    assert found["median_delay_s"] == 0.25
    assert found["false_alarms_per_minute"] == 0


def test_wrong_words_meet_their_moment_but_are_not_right():
    found = scores([vigil([3.0], {3.25: "A star appeared."})])
    assert (found["f1"], found["right_words"]["value"]) == (1, 0)


def test_words_more_than_a_second_late_are_a_miss_and_a_false_alarm():
    found = scores([vigil([3.0], {4.25: "The lamp was turned on."})])
    assert (found["f1"], found["precision"]["value"], found["recall"]["value"]) == (0, 0, 0)
    assert found["false_alarms_per_minute"] == pytest.approx(60 / (STEP * len(ASKED)))


def test_a_repetition_meets_nothing_and_counts_against_the_strict_score_alone():
    found = scores([vigil([3.0], {3.25: "It is on.", 3.75: "It is on."})])
    assert (found["f1"], found["repeated"]) == (1, 1)
    assert found["f1_strict"] == pytest.approx(2 / 3)


def test_two_moments_need_two_utterances():
    found = scores([vigil([3.0, 3.6], {3.25: "It is on."})])
    assert found["recall"]["value"] == 0.5
    assert scores([vigil([3.0, 3.6], {3.25: "On.", 3.75: "Off."})])["f1"] == 1


def test_words_about_a_moment_at_the_border_are_neither_right_nor_false():
    found = scores([vigil([5.0], {0.75: "It is on.", 5.25: "It is on."}, unjudged=[0.4])])
    assert (found["f1"], found["events"]) == (1, 1)


@given(
    st.lists(st.floats(0.75, 9.0), max_size=5),
    st.sets(st.sampled_from(ASKED)),
)
def test_every_moment_is_met_or_missed_and_all_words_have_one_fate(due, spoken):
    found = scores([vigil(due, dict.fromkeys(spoken, "Yes."))])
    hits = round((found["recall"] or {"value": 0})["value"] * len(due))
    false = round(found["false_alarms_per_minute"] * found["minutes"])
    assert found["events"] == len(due)
    assert hits + false + found["repeated"] == len(spoken)
    assert found["f1_strict"] <= found["f1"] <= 1
    assert found["never"]["f1"] == 0
    assert found["always"]["recall"] is None or found["always"]["recall"]["value"] > 0


def test_silence_where_nothing_happens_is_no_mistake_and_a_miss_can_be_looked_up():
    quiet, missed = vigil(), vigil([3.0])
    assert mistakes([quiet, missed], 5) == [
        {
            "task": "alert",
            "text": "Tell me.",
            "due": [[3.0, "The lamp was turned on."]],
            "said": [],
            "world": "demo:desk",
            "from": 0,
        }
    ]


def test_black_video_is_scored_over_the_vigils_that_were_put_so():
    dark = vigil([3.0], {3.25: "It is on."}, blank=("",) * len(ASKED))
    found = table([dark, vigil([4.0], {4.25: "It is on."}, task="note")])
    assert set(found) == {"alert", "note", "standing"}
    assert found["standing"]["blank"]["f1"] == 0
    assert found["note"]["blank"] is None
    assert found["standing"]["f1"] == 1
    assert table([]) == {}
