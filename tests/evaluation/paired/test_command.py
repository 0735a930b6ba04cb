"""`lookout eval paired`: what it writes, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from evaluation.catalog import EVALUATIONS
from evaluation.paired.command import main
from tests.evaluation.paired.cases import instance, pair, write

WAYS = ("left", "right")
PAIRS = [
    *pair("p", WAYS, WAYS, kind="moving_direction"),
    *pair("q", ("up", "down"), ("up", "well"), kind="moving_direction"),
    *pair("r", ("left", "left"), ("left", "left"), kind="controls"),
]


def test_the_result_holds_what_every_evaluation_writes_and_the_strict_measures(tmp_path, capsys):
    answers, blank = tmp_path / "answers.jsonl", tmp_path / "blank.jsonl"
    write(answers, PAIRS)
    write(blank, [{**row, "answer": "left"} for row in PAIRS])
    out = tmp_path / "result.json"
    assert main([str(answers), "--blank", str(blank), "--json", str(out)]) == 0
    result = json.loads(out.read_text())
    moving = result["tasks"]["moving_direction"]
    assert {key: moving[key] for key in ("accuracy", "n", "blank", "most_frequent")} == {
        "accuracy": 0.75,
        "n": 4,
        "blank": 0.25,
        "most_frequent": 0.25,
    }
    assert moving["measures"]["p_acc"]["value"] == 0.5
    assert moving["unparsable"] == 1
    assert result["unparsable"] == [f"{answers}:4"]
    assert set(result["tasks"]["controls"]["measures"]) == {
        "static_acc",
        "static_p_acc",
        "static_agree",
    }
    assert result["tasks"]["all"]["n"] == 6
    assert (result["kind"], result["parse"]) == ("dybench", "strict")
    shown = capsys.readouterr().out
    assert "p_acc" in shown and "unparsable 1 of 4" in shown and "blank video 25.0" in shown


def test_two_models_are_tested_against_each_other(tmp_path, capsys):
    ours = write(tmp_path / "ours.jsonl", PAIRS)
    theirs = write(tmp_path / "theirs.jsonl", [{**row, "answer": "left"} for row in PAIRS])
    out = tmp_path / "result.json"
    assert main([str(ours), "--against", str(theirs), "--json", str(out)]) == 0
    result = json.loads(out.read_text())
    assert result["against"]["all"] == {"first": 1, "second": 0, "p": 1}
    assert result["files"] == {"file": "ours.jsonl", "against": "theirs.jsonl"}
    assert "McNemar" in capsys.readouterr().out


def test_timeblind_files_are_read_under_their_own_names_strictly_or_as_its_scorer_does(tmp_path):
    answers = write(tmp_path / "a.jsonl", instance(0, ["Yes or no? Yes", "no", "no", "yes"]))
    out = tmp_path / "result.json"
    call = [str(answers), "--kind", "timeblind", "--json", str(out)]
    found = {}
    for parse in ("strict", "official"):
        assert main([*call, "--parse", parse]) == 0
        found[parse] = json.loads(out.read_text())["tasks"]["all"]
    assert found["strict"]["measures"]["i_acc"]["value"] == 0
    assert found["strict"]["unparsable"] == 1
    assert found["official"]["measures"]["i_acc"]["value"] == 1


def test_incomplete_groups_end_it_or_are_counted_as_wrong(tmp_path, capsys):
    answers = write(tmp_path / "answers.jsonl", PAIRS[:-1])
    assert main([str(answers)]) == 1
    assert "'r' is incomplete" in capsys.readouterr().err
    out = tmp_path / "result.json"
    assert main([str(answers), "--incomplete", "wrong", "--json", str(out)]) == 0
    result = json.loads(out.read_text())
    assert result["incomplete"] == ["r"]
    assert result["tasks"]["controls"]["incomplete"] == 1
    assert result["tasks"]["controls"]["accuracy"] == 0


def test_columns_are_mapped_on_the_command_line(tmp_path, capsys):
    renamed = [{**row, "gt": row["truth"], "truth": None} for row in PAIRS]
    answers = write(tmp_path / "answers.jsonl", renamed)
    assert main([str(answers)]) == 1
    assert f"{answers}:1: no 'truth'" in capsys.readouterr().err
    assert main([str(answers), "--map", "truth=gt"]) == 0


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--map", "colour=gt"], "FIELD of pair, role"),
        (["--map", "truth"], "FIELD=COLUMN"),
        (["--parse", "official"], "dybench has strict"),
        (["--groups", "1507"], "3 groups, and --groups says 1507"),
        (["--against", "nowhere.jsonl"], "cannot be read"),
        (["--json", "nowhere/result.json"], "cannot be written"),
    ],
)
def test_a_wrong_call_ends_with_2_and_one_line(tmp_path, capsys, monkeypatch, more, message):
    monkeypatch.chdir(tmp_path)
    answers = write(tmp_path / "answers.jsonl", PAIRS)
    assert main([str(answers), *more]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_it_runs_as_a_module_and_stands_in_the_catalog(tmp_path):
    answers = write(tmp_path / "answers.jsonl", PAIRS)
    done = subprocess.run(
        [sys.executable, "-m", "evaluation.paired", str(answers), "--groups", "3"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "moving_direction" in done.stdout
    assert EVALUATIONS["paired"].main([str(answers)]) == 0
