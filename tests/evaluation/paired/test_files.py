"""What is wrong with a file is said with its place; nothing wrong is scored."""

from __future__ import annotations

import json

import pytest

from core.errors import ConfigError, DataError
from evaluation.paired import instances, pairs
from evaluation.paired.groups import require_complete
from evaluation.paired.rows import load
from tests.evaluation.paired.cases import instance, judged, pair, rows, values, write

GOOD = pair("p", ("left", "right"), ("left", "left"))


def changed(number, /, **values):
    """The good pair with one row changed; a None takes the column out."""
    found = [dict(row) for row in GOOD]
    found[number].update(values)
    return found


def test_lines_and_arrays_hold_the_same_rows(tmp_path):
    lines = write(tmp_path / "answers.jsonl", GOOD)
    array = tmp_path / "answers.json"
    array.write_text("\ufeff" + json.dumps(GOOD, indent=1), encoding="utf-8")
    assert [r.values for r in load(lines, {})] == [r.values for r in load(array, {})] == GOOD
    assert [row.place for row in load(lines, {})] == [f"{lines}:1", f"{lines}:2"]
    assert load(array, {})[1].place == f"{array}, row 2"


def test_a_line_ends_only_where_json_says_so(tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_text('{"answer": "a\u2028b"}\r\n\n{"answer": "c"}', encoding="utf-8")
    assert [(row.place, row.text("answer")) for row in load(path, {})] == [
        (f"{path}:1", "a\u2028b"),
        (f"{path}:3", "c"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no rows"),
        ("[]", "holds no rows"),
        ('{"a": 1}\n{"a": ', r"answers.jsonl:2: not JSON"),
        ('{"a": 1}\n3\n', r"answers.jsonl:2: a JSON int, not an object"),
        ("[1]", r"answers.jsonl, row 1: a JSON int"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(tmp_path, text, message):
    path = tmp_path / "answers.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        load(path, {})


def test_a_file_that_cannot_be_read_is_a_wrong_call(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "none.jsonl", {})
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(tmp_path / "binary", {})


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (changed(1, pair=None), "answers:2: no 'pair'; there are answer, options, pair"),
        (changed(1, truth=None), "answers:2: no 'truth'"),
        (changed(0, answer=["left"]), "answers:1: 'answer' is .*not text"),
        (changed(0, answer=True), "answers:1: 'answer' is True"),
        (changed(1, truth="E"), "answers:2: 'truth' is 'E', not one of left, right, up, down"),
        (changed(1, role="shown"), "answers:2: 'p' has role 'shown' already at answers:1"),
        (changed(1, question="How fast?"), "answers:2: another question than at answers:1"),
        (changed(1, options=["left", "right"]), "answers:2: another list of options"),
        (changed(1, options=["left", "left"]), "answers:2: options"),
        (changed(1, kind="other"), "answers:2: another kind than at answers:1"),
        (changed(1, static=True), "answers:2: 'static' is True, not false"),
        (changed(1, static="no"), "answers:2: 'static' is 'no', not true or false"),
        (changed(0, kind="all"), "answers:1: 'kind' is 'all'"),
        ([*GOOD, {**GOOD[0], "role": "third"}], "'p' has more than 2 rows: answers:1, answers:2, "),
    ],
)
def test_a_pair_that_cannot_be_trusted_is_refused(found, message):
    with pytest.raises(DataError, match=message):
        pairs.groups(rows(found))


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (GOOD[:1], "'p' is incomplete: 1 of 2 rows .answers:1"),
        (changed(1, answer=None), "'p' is incomplete: no answer at answers:2"),
    ],
)
def test_an_incomplete_pair_is_named(found, message):
    groups = pairs.groups(rows(found))
    with pytest.raises(DataError, match=message):
        require_complete(groups)
    assert not any(judged(found)[0].right)
    require_complete(pairs.groups(rows(GOOD)))


def test_a_single_static_row_is_taken_at_its_word():
    assert "p_acc" in values(GOOD[:1])
    assert "static_p_acc" in values([{**GOOD[0], "static": True}])


def test_an_unreadable_reply_is_wrong_and_counted_but_not_missing():
    found = judged(changed(0, answer="mumble"))
    assert found[0].unreadable == ["answers:1"]
    assert found[0].group.complete
    assert found[0].right == (False, False)


def test_columns_may_have_other_names():
    names = {"pair": "pid", "truth": "gt", "answer": "pred", "role": "video"}
    renamed = [{names.get(key, key): value for key, value in row.items()} for row in GOOD]
    assert [i.truth for i in pairs.groups(rows(renamed, names))[0].items] == ["left", "right"]
    with pytest.raises(DataError, match="no 'pair'.*--map pair=COLUMN"):
        pairs.groups(rows(renamed))


def test_without_options_the_truths_of_the_same_kind_are_the_choices():
    bare = [
        {key: value for key, value in row.items() if key != "options"}
        for row in [
            *pair("p", ("left", "right"), ("left", "up"), kind="way"),
            *pair("q", ("Yes", "No"), ("yes", "No, never."), kind="first"),
        ]
    ]
    assert [one.said for one in judged(bare)] == [("left", None), ("yes", "no")]


FOUR = instance(3, ["yes", "no", "no", "yes"])


def four(number, **values):
    return [{**row, **values} if n == number else row for n, row in enumerate(FOUR)]


def test_roles_follow_from_the_index_and_the_pattern_is_yes_no_no_yes():
    (found,) = instances.groups(rows(FOUR[::-1], instances.COLUMNS))
    assert (found.key, [item.role for item in found.items]) == ("3", list(instances.ROLES))
    assert [item.truth for item in found.items] == ["yes", "no", "no", "yes"]


def test_each_score_of_an_instance_is_what_it_says():
    def scores(*answers):
        found = values(instance(0, answers), "timeblind")
        return [found[name] for name in ("acc", "q_acc", "v_acc", "i_acc")]

    assert scores("yes", "no", "no", "yes") == [1, 1, 1, 1]
    assert scores("yes", "no", "no", "no") == [0.75, 0.5, 0.5, 0]
    assert scores("yes", "no", "yes", "no") == [0.5, 0.5, 0, 0]
    assert scores("yes", "yes", "no", "no") == [0.5, 0, 0.5, 0]
    assert scores("yes", "yes", "yes", "yes") == [0.5, 0, 0, 0]
    assert scores("no", "yes", "yes", "no") == [0, 0, 0, 0]


def test_pair_and_role_may_stand_for_the_index_and_the_suffix_for_the_type():
    named = [
        {
            "pair": "x",
            "role": role,
            "question": f"{role[:2]}? Please output {'Yes or No' if role[1] == '0' else 'A or B'}.",
            "model_output": said,
        }
        for role, said in zip(instances.ROLES, ["Yes", "No", "B", "A"], strict=True)
    ]
    assert values(named, "timeblind")["i_acc"] == 1


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (four(1, index="x"), "answers:2: 'index' is 'x', not a whole number"),
        (four(1, index=None), "answers:2: no 'index'"),
        (four(1, index=None, pair="3", role="q2"), "answers:2: 'role' is 'q2', not one of q0_i0"),
        (four(1, index=12), "answers:2: '3' has role 'q0_i0' already at answers:1"),
        (four(1, answer="yes"), "answers:2: 'answer' is 'yes', not 'no'"),
        (four(1, question="Else?"), "answers:2: another question than at answers:1"),
        (four(1, type="multiple_choice"), "answers:2: another type than at answers:1"),
        (four(1, type="open"), "answers:2: 'type' is 'open', not yes_no or multiple_choice"),
        (four(1, type=None), "answers:2: 'type' is None"),
        (four(0, type="multiple_choice", question="Q?\nA. x\nB. y\nC. z"), "two options"),
    ],
)
def test_an_instance_that_cannot_be_trusted_is_refused(found, message):
    with pytest.raises(DataError, match=message):
        instances.groups(rows(found, instances.COLUMNS))


def test_an_incomplete_instance_is_named_and_wrong_throughout():
    groups = instances.groups(rows(FOUR[:3], instances.COLUMNS))
    with pytest.raises(DataError, match="'3' is incomplete: 3 of 4 rows"):
        require_complete(groups)
    assert set(values(FOUR[:3], "timeblind").values()) == {0}
