"""`lookout bench live` on a tiny model; no figure is judged, only what it is made of."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from benchmarks.live import main
from benchmarks.live.contenders import CONTENDERS
from benchmarks.live.figures import COLUMNS
from benchmarks.live.house import PATIENCE, Asking, Witnessed
from benchmarks.live.stage import Phase
from core.frames import Frame, Segment
from core.kept import KeptStep
from tests.evaluation.pruning.scenes import folder

SHORT = ["--fps", "8", "--seconds", "0.5"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return ["-c", f"model.name={folder(tmp_path_factory.mktemp('model'))}"]


def test_every_contender_answers_at_every_length_and_the_table_has_all_columns(
    model, tmp_path, capsys
):
    table, plot, rows = tmp_path / "t.md", tmp_path / "p.png", tmp_path / "r.json"
    call = [*model, *SHORT, "--contenders", "all", "--lengths", "0.05", "0.1", "--rounds", "1"]
    call += [
        "--pairs",
        "2",
        "--tokens",
        "4",
        "--json",
        str(rows),
        "--markdown",
        str(table),
        "--plot",
        str(plot),
    ]
    assert main(call) == 0
    everything = json.loads(rows.read_text())
    found, totals = everything[: 2 * len(CONTENDERS)], everything[2 * len(CONTENDERS) :]
    assert [(row["minutes"], row["contender"]) for row in found] == [
        (minutes, name) for minutes in (0.05, 0.1) for name in CONTENDERS
    ]
    for row in found:
        assert tuple(row) == COLUMNS
        low, middle, high = (row[f"decode_slower_percent{end}"] for end in ("_low", "", "_high"))
        if row["contender"] == "everything":
            assert row["pairs"] is middle is None
        else:
            assert row["pairs"] == 2
            assert low <= middle <= high
        assert row["same_as_paused"] == ("1/1" if row["pairs"] is None else "3/3")
        assert not row["note"]
        assert row["answers"] >= 1
        assert row["frames_due_speaking"] >= 4
        assert row["ttft_p50_ms"] <= row["ttft_p95_ms"]
        assert 0 <= row["late_percent_speaking"] <= 100
        assert row["held_bytes"] > 0
    by = {(row["minutes"], row["contender"]): row for row in found}
    assert by[0.1, "lookout"]["ttft_times_lookout"] == 1
    assert by[0.1, "everything"]["read_tokens"] > by[0.05, "everything"]["read_tokens"]
    assert by[0.1, "last_4"]["read_tokens"] < by[0.1, "last_32"]["read_tokens"]
    assert by[0.1, "lookout"]["held_bytes"] == by[0.05, "lookout"]["held_bytes"]
    assert [row["contender"] for row in totals] == list(CONTENDERS)
    for row in totals:
        assert row["lengths"] == 2
        parts = [by[minutes, row["contender"]] for minutes in (0.05, 0.1)]
        assert row.get("pairs", 0) == sum(part["pairs"] or 0 for part in parts)
        assert row["long_frames_due"] == sum(part["long_frames_due"] for part in parts)
    assert plot.read_bytes().startswith(b"\x89PNG")
    text = table.read_text()
    printed, said = capsys.readouterr()
    assert said.startswith("expected: ") or "\nexpected: " in said
    assert all(part.strip() in printed for part in text.split("## ")[1:])
    assert text.count("| figure | lookout | last_4 | last_32 | everything | serial |") == 3
    assert text.count("\n| ttft_p95_ms |") == 2


def test_who_reads_everything_gives_up_when_it_would_take_too_long_and_says_how_far_it_got(
    model, tmp_path, capsys
):
    rows = tmp_path / "r.json"
    call = [*model, *SHORT, "--contenders", "everything", "--lengths", "0.25", "0.5", "60"]
    call += ["--rounds", "1", "--pairs", "9", "--pairing", "1e-6", "--tokens", "2"]
    call += ["--patience", "1e-6", "--watched", "0.1", "--json", str(rows)]
    assert main(call) == 0
    found = {(r.get("minutes"), r["contender"]): r for r in json.loads(rows.read_text())}
    assert not found[0.25, "everything"]["note"]
    for minutes in (0.5, 60):
        row = found[minutes, "everything"]
        assert row["note"].startswith("gave up: ")
        assert "at 0.25 min it took" in row["note"]
        assert row["ttft_p50_ms"] is None
        assert found[minutes, "lookout"]["answers"] >= 1
    assert found[60, "lookout"]["missed_minutes"] == pytest.approx(60, abs=0.6)
    assert [found[minutes, "lookout"]["pairs"] for minutes in (0.25, 0.5, 60)] == [1, 1, 1]
    said = capsys.readouterr().err
    assert said.count("time is up after 1 of 9 pairs") == 3
    assert "reading everything" in said


def test_alone_every_camera_is_watched_and_asked_and_frames_that_come_late_are_counted(
    model, tmp_path, capfd
):
    rows, own = tmp_path / "r.json", tmp_path / "own.yaml"
    own.write_text("cameras: {own: {url: 'demo:calm'}}\nengine: {max_cameras: 2}\n")
    call = [*model, *SHORT, "-c", str(own), "--cameras", "2", "--askers", "2", "--questions", "1"]
    assert main([*call, "--json", str(rows)]) == 0, "a configured camera is not among them"
    (row,) = json.loads(rows.read_text())
    assert (row["cameras"], row["fps"], row["source"]) == (2, 8.0, "demo:busy")
    assert row["frames_due_answering"] >= 2 * 4
    assert row["answers"] >= 2
    assert row["ttft_p50_ms"] <= row["ttft_p95_ms"]
    assert 0 <= row["late_percent_idle"] <= 100
    assert 0 <= row["late_percent_answering"] <= 100
    late, due = row["frames_late_answering"], row["frames_due_answering"]
    assert row["late_percent_answering"] == pytest.approx(100 * late / due)
    assert row["frames_per_s_idle"] > 0
    assert "frames_per_s_answering" in row
    assert "expected: 1 s" in capfd.readouterr().err


def test_it_is_asked_for_the_seconds_given_and_longer_only_while_answers_are_too_few():
    asking = Asking(askers=1, questions=100, seconds=20.0)
    assert asking.goes_on(19.9, 500)
    assert not asking.goes_on(20.0, 100)
    assert asking.goes_on(20.0, 99)
    assert not asking.goes_on(20.0 * (1 + PATIENCE), 99)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (["--contenders", "magic"], "everything"),
        (["--cameras", "0"], "at least 1"),
        (["--pairs", "0", "--contenders", "all"], "at least 1"),
        (["--pairing", "0", "--contenders", "all"], "above 0"),
        (["--lengths", "0", "--contenders", "all"], "above 0"),
        (["--plot", "x.png"], "--contenders"),
    ],
)
def test_a_wrong_call_is_refused_with_what_is_allowed(model, call, said, capsys):
    assert main([*model, *call]) == 2
    assert said in capsys.readouterr().err


def test_a_frame_is_late_if_it_comes_an_interval_and_the_slack_after_its_step_was_whole():
    phase = Phase(fps=4.0, slack_s=0.05, first=10, began=100.0, frames=6)
    # Steps are whole at 100.25, 100.75 and 101.25; 0.3 s are allowed.
    phase.entered = {10: 100.54, 11: 100.54, 12: 101.06, 13: 101.06}
    assert phase.late == 4  # two came too late, two not at all
    assert phase.frames_per_s == 4 / 1.5
    # Those due in a stretch of time count there, and nowhere else.
    assert phase.judged([(100.2, 100.3), (101.25, 101.3)]) == (4, 2)
    assert phase.judged([(100.7, 100.8), (100.7, 101.25)]) == (2, 2)
    assert phase.judged([]) == (0, 0)


async def test_a_camera_is_late_by_its_own_clock_which_the_soonest_frame_sets():
    witnessed = Witnessed(frames_per_step=2, fps=4.0)
    pixels = np.zeros((8, 8, 3), np.uint8)
    arrived = [time.monotonic() - 10 + n / 4 for n in range(4)]
    frames = [Frame(n / 4, at + 0.1 * (n == 2), pixels) for n, at in enumerate(arrived)]
    first = KeptStep(0.125, 1, 1, (0,))
    await witnessed(Segment(0, tuple(frames[:2])), ())  # a method that looks ahead holds it back
    assert not witnessed.entered
    await witnessed(Segment(1, tuple(frames[2:])), (first,))
    late = witnessed.since(arrived[0], arrived[0] + 10)
    assert late == pytest.approx([9.75, 9.75], abs=0.5)  # due when its second frame came
    assert witnessed.since(arrived[1] + 0.01, arrived[0] + 10) == []
    await witnessed(None, (KeptStep(0.625, 1, 1, (0,)),))
    assert len(witnessed.since(arrived[0], arrived[0] + 10)) == 4
