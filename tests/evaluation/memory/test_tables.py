"""Files, tables, verdicts and pictures, from answers that were written by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.errors import DataError
from evaluation.memory import report
from evaluation.memory.results import BLACK, Result, Row, load, pool, save
from evaluation.memory.suites import DELAYED, NOW, RECALL, SUITES, said_gap
from evaluation.memory.tables import compute, verdicts
from memory.presets import LOOKOUT, RECENT_4

N = 40
HEADER = {"model": "m", "weights": "abc", "tokens": 512, "pruning": "vcast", "budget": 18}
ROOMS = {RECENT_4: 1000, LOOKOUT: 1000, "dense": None, BLACK: 1000}


def row(suite, number, **right):
    """Memories answer rightly up to the number that is given for them."""
    said = {name: "It is red." if number < most else "It is blue." for name, most in right.items()}
    return Row(
        suite=suite,
        stream=f"demo:calm?seed={number // 4}",
        task="colour" if number % 2 else "where",
        question=f"question {number}?",
        truth="It is red.",
        asked=100.0 + number,
        steps=76,
        age=None if suite == NOW else 20.0 if number % 2 else 40.0,
        lasted=3.0,
        gap=60.0 if suite == DELAYED else None,
        said=said,
        held=dict.fromkeys(said, 10 * number),
        read={name: [[90.0 + number, 100.0 + number]] for name in said},
    )


def result(suite=RECALL, ours=30, theirs=10, n=N):
    made = [row(suite, k, **{RECENT_4: theirs, LOOKOUT: ours, BLACK: 5}) for k in range(n)]
    return Result(HEADER, ROOMS, made, {suite: 10}, {suite: 2.0})


def line(tables, suite, memory):
    return next(one for one in tables[suite] if one.memory == memory)


def test_each_memory_is_tested_against_recent_4_on_the_same_questions():
    tables = compute(result())
    ours = line(tables, RECALL, LOOKOUT)
    assert (ours.whole["accuracy"], ours.whole["n"], ours.whole["blank"]) == (0.75, N, 5 / N)
    assert (ours.against.first, ours.against.second) == (20, 0)
    assert ours.against.p == pytest.approx(2 / 2**20)
    assert (ours.held, ours.room) == (10 * (N - 1), 1000)
    assert ours.whole["covered"] == 0, "ten seconds do not go back twenty"
    assert {name: group["n"] for name, group in ours.groups.items()} == {
        "to 32 s": N // 2,
        "to 64 s": N // 2,
    }
    assert {task: found["n"] for task, found in ours.tasks.items()} == {
        "where": N // 2,
        "colour": N // 2,
    }
    assert line(tables, RECALL, RECENT_4).against is None
    assert "dense" not in {one.memory for one in tables[RECALL]}, "it answered nothing"


@pytest.mark.parametrize(
    ("stretch", "reached"),
    [((81, 81), True), ((78.5, 79), True), ((70, 75), False), ((83, 99), False), ((0, 99), True)],
)
def test_reached_means_that_any_moment_was_read_at_which_it_was_in_view(stretch, reached):
    one = row(RECALL, 1, **{LOOKOUT: 1})  # asked at 101 s about what was in view from 78 s to 81 s
    assert replace(one, read={LOOKOUT: [stretch]}).reached(LOOKOUT) == reached


def test_what_an_archive_gave_back_counts_as_read():
    made = result()
    rows = [replace(one, read={LOOKOUT: [*one.read[LOOKOUT], [one.asked - one.age] * 2]})
            for one in made.rows]  # fmt: skip
    rows = [replace(one, said={LOOKOUT: one.said[LOOKOUT]}) for one in rows]
    tables = compute(Result(HEADER, ROOMS, rows, {RECALL: 10}, {RECALL: 2.0}))
    ours = line(tables, RECALL, LOOKOUT)
    assert ours.whole["covered"] == 1
    assert ours.against is None, "recent_4 was not asked"


@pytest.mark.parametrize(
    ("suite", "ours", "theirs", "n", "word"),
    [
        (NOW, 199, 200, 200, "met"),
        (NOW, 198, 200, 200, "MISSED"),
        (RECALL, 30, 10, N, "met"),
        (RECALL, 12, 10, N, "MISSED"),
        (DELAYED, 10, 30, N, "MISSED"),
    ],
)
def test_the_verdict_is_the_one_the_goal_says(suite, ours, theirs, n, word):
    (said,) = verdicts(compute(result(suite, ours, theirs, n)))
    assert said.startswith(suite)
    assert said.endswith(word)


def test_a_file_gives_back_what_was_written_and_parts_are_pooled(tmp_path):
    whole, path = result(), tmp_path / "r.json"
    save(whole, path, lambda one: SUITES[one.suite].group(one))
    assert load(path) == whole
    assert '"recall, to 32 s, lookout": {"accuracy": 0.75' in path.read_text()
    first, second = result(), result()
    first.rows, second.rows = whole.rows[::2], whole.rows[1::2]
    pooled = pool([first, second])
    assert (
        line(compute(pooled), RECALL, LOOKOUT).whole == line(compute(whole), RECALL, LOOKOUT).whole
    )
    assert (pooled.streams[RECALL], pooled.seconds[RECALL]) == (20, 4.0)
    with pytest.raises(DataError, match="two of the results"):
        pool([whole, second])
    with pytest.raises(DataError, match="different settings"):
        pool([first, replace(second, header={**HEADER, "tokens": 256})])
    path.write_text("{}")
    with pytest.raises(DataError, match="no result"):
        load(path)


@pytest.mark.parametrize("suite", [NOW, RECALL, DELAYED])
def test_the_report_names_every_memory_and_draws_a_picture(suite, tmp_path, capsys):
    path, table = tmp_path / "r.json", tmp_path / "t.md"
    save(result(suite), path, lambda one: SUITES[one.suite].group(one))
    call = [str(path), "--plots", str(tmp_path), "--markdown", str(table)]
    assert report.main(call) == 0
    told = capsys.readouterr().out
    assert table.read_text() == told
    assert "| lookout | 0.00 | 75.0 | 59.8 to 85.8 | 0.000 ↑ |" in told
    assert "| recent_4 | 0.00 | 25.0 |" in told
    assert ("| 1 min | 76 | 40 to 20 |" in told) == (suite == DELAYED)
    assert (tmp_path / f"memory-{suite}.png").read_bytes().startswith(b"\x89PNG")
    assert report.main([str(tmp_path / "nothing.json")]) == 1


def test_gaps_are_said_as_people_say_them():
    assert [said_gap(gap) for gap in (60.0, 3600.0, 43_200.0)] == ["1 min", "60 min", "12 h"]
