"""`lookout eval memory` and `lookout bench memory` measure, and refuse what they cannot do."""

from __future__ import annotations

import json

import pytest
import torch

from benchmarks import memory as bench
from evaluation.memory import suites
from evaluation.memory.command import main
from evaluation.memory.results import BLACK, DENSE, load, pool
from memory.presets import LOOKOUT, RECENT_4, SINK_WINDOW
from tests.evaluation.pruning.scenes import folder


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return str(folder(tmp_path_factory.mktemp("model")))


def test_parts_watch_different_streams_and_are_pooled(tmp_path, capsys):
    # The embedded model: a random one would never end its answers.
    call = ["--suite", "recall", "--preset", LOOKOUT, "--limit", "2"]
    call += ["--tokens", "256"]
    paths = [tmp_path / f"{part}.json" for part in (1, 2)]
    for part, path in enumerate(paths, 1):
        assert main([*call, "--part", f"{part}/2", "--json", str(path)]) == 0
    told = capsys.readouterr().out
    assert "recall: 1 streams in" in told
    assert f"recall: {LOOKOUT} " in told
    both = pool([load(path) for path in paths])
    assert both.streams == {"recall": 2}
    assert len({row.stream for row in both.rows}) == 2
    for row in both.rows:
        assert set(row.said) == {RECENT_4, LOOKOUT, DENSE, BLACK}
    bytes_each = {size for name, size in both.rooms.items() if name != DENSE}
    assert len(bytes_each) == 1
    assert both.rooms[DENSE] is None
    tasks = json.loads(paths[0].read_text())["tasks"]
    assert all({"accuracy", "n", "blank", "most_frequent"} <= set(one) for one in tasks.values())


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--preset", "magic"], "recent_4"),
        (["--part", "3/2"], "I/N"),
        (["--limit", "0"], "--limit"),
        (["--tokens", "16"], "--tokens 16"),
    ],
)
def test_a_wrong_call_is_status_2_and_says_what_is_allowed(arguments, named, checkpoint, capsys):
    assert main(["--model", checkpoint, "--limit", "1", *arguments]) == 2
    assert named in capsys.readouterr().err


def test_every_group_of_a_suite_is_one_that_its_rows_fall_into():
    for suite in suites.SUITES.values():
        assert len(set(suite.groups)) == len(suite.groups)


def test_the_benchmark_has_a_row_for_each_preset_at_each_length(checkpoint, tmp_path, capfd):
    paths = {kind: tmp_path / f"b.{kind}" for kind in ("json", "markdown", "plot")}
    call = ["--model", checkpoint, "--minutes", "1", "4", "--every", "10", "--rounds", "2"]
    call += ["--tokens", "256", "--preset", LOOKOUT, "--preset", RECENT_4]
    for kind, path in paths.items():
        call += [f"--{kind}", str(path)]
    assert bench.main(call) == 0
    capfd.readouterr()
    rows = json.loads(paths["json"].read_text())
    by = {(row["minutes"], row["preset"]): row for row in rows}
    names = {RECENT_4, SINK_WINDOW, LOOKOUT}
    assert set(by) == {(minutes, name) for minutes in (1, 4) for name in names}
    for (minutes, name), row in by.items():
        assert row["steps"] == {1: 9, 4: 27}[minutes]
        assert row["ms_per_segment"] > 0
        assert row["ms_to_first_token"] > 0
        assert row["held_bytes"] > 0
        if name == SINK_WINDOW:
            assert row["segment_times_sink_window"] == row["first_token_times_sink_window"] == 1
    assert by[4, RECENT_4]["held_bytes"] < by[4, SINK_WINDOW]["held_bytes"]
    assert by[4, LOOKOUT]["held_tokens"] < by[4, SINK_WINDOW]["held_tokens"]
    assert paths["plot"].read_bytes().startswith(b"\x89PNG")
    assert paths["markdown"].read_text().count("\n| ") == len(rows) + 2


def test_the_benchmark_compares_days_with_the_first_one(checkpoint, tmp_path, capfd):
    path = tmp_path / "days.json"
    call = ["--model", checkpoint, "--days", "3", "--rounds", "2", "--tokens", "256"]
    assert bench.main([*call, "--preset", LOOKOUT, "--json", str(path)]) == 0
    capfd.readouterr()
    rows = json.loads(path.read_text())
    assert [(row["preset"], row["days"]) for row in rows] == [
        (name, day) for name in (SINK_WINDOW, LOOKOUT) for day in (0, 1, 3)
    ]
    for row in rows:
        assert row["next_position"] // 2_000_000 >= row["days"]
        assert row["farthest_positions_back"] < 4096
        assert row["held_bytes"] <= rows[0]["held_bytes"] * 256 / rows[0]["held_tokens"]
        assert (row["segment_times_day_0"] == 1) == (row["days"] == 0)
        assert row["ms_to_first_token"] > 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(["--preset", "magic"], "recent_4"), (["--every", "0"], "--every"),
     (["--tokens", "16"], "--tokens"), (["--days", "0"], "--days"),
     (["--days", "7", "--plot", "x.png"], "--plot")],
)  # fmt: skip
def test_a_wrong_benchmark_is_status_2(arguments, named, checkpoint, capsys):
    assert bench.main(["--model", checkpoint, *arguments]) == 2
    assert named in capsys.readouterr().err
