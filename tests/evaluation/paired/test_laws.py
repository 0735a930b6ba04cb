"""Laws that hold for every file of answers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evaluation.paired.reading import strict, timeblind_official
from tests.evaluation.paired.cases import (
    REPLIES,
    instance_files,
    measured,
    pair_files,
    values,
)

READERS = st.sampled_from([strict, timeblind_official])
TRUE = {True: {"yes_no": "yes", "multiple_choice": "A"}, False: {"yes_no": "no"}}
TRUE[False]["multiple_choice"] = "B"


def honest_instances(rows):
    return [{**row, "model_output": TRUE[row["index"] % 4 in (0, 3)][row["type"]]} for row in rows]


@given(pair_files(), st.randoms())
def test_the_order_of_rows_changes_nothing_in_pairs(rows, random):
    before = measured(rows)
    random.shuffle(rows)
    assert measured(rows) == before


@given(instance_files(), READERS, st.randoms())
def test_the_order_of_rows_changes_nothing_in_instances(rows, reader, random):
    before = measured(rows, "timeblind", reader)
    random.shuffle(rows)
    assert measured(rows, "timeblind", reader) == before


@given(pair_files())
def test_a_pair_is_never_easier_than_its_members(rows):
    found = values(rows)
    counts = {name: share.right for name, share in measured(rows).items()}
    for prefix in ("", "static_"):
        if f"{prefix}acc" in found:
            single, whole = counts[f"{prefix}acc"], counts[f"{prefix}p_acc"]
            pairs = measured(rows)[f"{prefix}p_acc"].n
            assert single - pairs <= whole <= single / 2
            assert found[f"{prefix}p_acc"] <= found[f"{prefix}acc"]
    assert found.get("p_acc", 0) <= found.get("differ", 1)  # two truths differ, so right ones do
    assert found.get("static_p_acc", 0) <= found.get("static_agree", 1)


@given(instance_files(), READERS)
def test_an_instance_is_never_easier_than_its_questions_or_videos_or_answers(rows, reader):
    found = values(rows, "timeblind", reader)
    for half in ("q_acc", "v_acc"):
        assert found["i_acc"] <= found[half] <= found["acc"]


@given(pair_files())
def test_the_truth_scores_one(rows):
    found = values([{**row, "answer": row["truth"]} for row in rows])
    assert set(found.values()) == {1}


@given(instance_files(), READERS)
def test_the_truth_scores_one_on_instances(rows, reader):
    assert set(values(honest_instances(rows), "timeblind", reader).values()) == {1}


@given(pair_files(), st.one_of(REPLIES, st.text()))
def test_a_fixed_answer_scores_nothing_on_dynamic_pairs_and_agrees_on_static_ones(rows, reply):
    found = values([{**row, "answer": reply} for row in rows])
    assert found.get("p_acc", 0) == 0
    assert found.get("differ", 0) == 0
    assert found.get("static_agree", 0) in (0, 1)


@given(instance_files(), READERS, st.one_of(st.sampled_from(["Yes", "B", "No, A"]), st.text()))
def test_a_fixed_answer_scores_nothing_on_questions_and_instances(rows, reader, reply):
    found = values([{**row, "model_output": reply} for row in rows], "timeblind", reader)
    assert found["q_acc"] == found["i_acc"] == 0
    assert found["acc"] <= 0.5


@given(pair_files(), st.data())
def test_a_worse_answer_raises_no_share_of_right_ones(rows, data):
    before = values(rows)
    worse = data.draw(st.integers(0, len(rows) - 1))
    wrong = next(word for word in rows[worse]["options"] if word != rows[worse]["truth"])
    rows[worse] = {**rows[worse], "answer": data.draw(st.sampled_from([wrong, "no idea", ""]))}
    after = values(rows)
    for name in before.keys() - {"differ", "static_agree"}:
        assert after[name] <= before[name]


@given(instance_files(), READERS, st.data())
def test_a_worse_answer_raises_no_share_of_instances(rows, reader, data):
    before = values(rows, "timeblind", reader)
    worse = data.draw(st.integers(0, len(rows) - 1))
    row = rows[worse]
    wrong = TRUE[row["index"] % 4 not in (0, 3)][row["type"]]
    rows[worse] = {**row, "model_output": data.draw(st.sampled_from([wrong, ""]))}
    after = values(rows, "timeblind", reader)
    assert all(after[name] <= before[name] for name in before)


@given(pair_files())
def test_shares_have_an_interval_around_them_and_a_chance(rows):
    for share in measured(rows).values():
        low, high = share.interval
        assert 0 <= low <= share.value <= high <= 1
        assert 0 < share.chance < 1


@given(pair_files(), st.data())
def test_where_an_answer_is_missing_the_whole_pair_is_wrong(rows, data):
    gone = data.draw(st.integers(0, len(rows) - 1))
    honest = [{**row, "answer": row["truth"]} for row in rows]
    static = honest[gone]["truth"] == honest[gone ^ 1]["truth"]
    unanswered = [{**row, "answer": None} if n == gone else row for n, row in enumerate(honest)]
    found = measured(unanswered)
    prefix = "static_" if static else ""
    whole = found[f"{prefix}p_acc"]
    assert whole.right == whole.n - 1
    assert found[f"{prefix}acc"].right == found[f"{prefix}acc"].n - 2
