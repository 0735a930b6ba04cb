"""Files, tables and pictures of runs, from answers that were written by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.errors import ConfigError, DataError
from evaluation.pruning import report
from evaluation.pruning.results import Item, Result, Run, load, pool, resume, save
from evaluation.pruning.suites import CALM, FAMILIES, FINE, SMALL, SUITES, calm, family
from evaluation.pruning.tables import compute
from evaluation.scenes import Posed
from worlds.wording import NOW, PAST

HEADER = {"model": "m", "weights": "abc", "seed": 0, "segment": 2}
N = 40


def item(number):
    task, of = ("colour", "attributes") if number % 2 else ("read", FINE)
    return Item(task, of, f"question {number}?", "It is red.", "demo:calm?seed=1", 0.0, 5)


def run(asked, kept, right):
    """The first `right` answers are right."""
    answers = tuple("It is red." if n < right else "It is blue." for n in range(N))
    return Run(asked, None, 100, kept, answers)


def result(**more):
    runs = {
        "none": [run(None, 100, 40)],
        "uniform": [run(0.5, 50, 36), run(0.1, 10, 20)],
        "random": [run(0.5, 50, 38), run(0.1, 10, 10)],
        "clever": [run(0.5, 49, 40), run(0.1, 11, 30)],
        "own": [run(None, 13, 40)],
    }
    found = {label: {CALM: runs} for label, runs in (runs | more).items()}
    moments = dict.fromkeys(found, "ingest")
    return Result(HEADER, {CALM: [item(n) for n in range(N)]}, found, moments, {"none": 1.0})


def line(tables, label, asked):
    return next(x for x in tables.suites[CALM] if (x.label, x.asked) == (label, asked))


def test_each_line_is_tested_against_dense_and_against_random_on_the_same_questions():
    tables = compute(result())
    clever = line(tables, "clever", 0.1)
    assert (clever.right.right, clever.right.n, clever.kept) == (30, N, 0.11)
    assert (clever.dense.first, clever.dense.second) == (0, 10)
    assert clever.dense.p == pytest.approx(2 / 2**10)
    assert (clever.random.first, clever.random.second) == (20, 0)
    assert line(tables, "clever", 0.5).random.first == 2
    own = line(tables, "own", None)
    assert own.random.first == 30, "a method with its own share meets random at the nearest one"
    assert {name: share.n for name, share in own.families.items()} == {
        "attributes": N // 2,
        FINE: N // 2,
    }


def test_free_is_the_smallest_share_that_loses_nothing():
    free = {found.label: found.kept for found in compute(result()).free(CALM)}
    assert free == {"own": 0.13, "clever": 0.49, "none": 1.0}


def test_a_table_without_its_controls_is_refused():
    for label in ("none", "random", "uniform"):
        lacking = result()
        del lacking.runs[label]
        with pytest.raises(DataError, match=label):
            compute(lacking)


def test_a_file_gives_back_what_was_written_and_goes_on_only_with_the_same_settings(tmp_path):
    path, made = tmp_path / "r.json", result()
    assert resume(path, made) is made
    save(made, path)
    assert load(path) == made
    fresh = Result(made.header, made.questions)
    assert resume(path, fresh) == made
    with pytest.raises(ConfigError, match="other settings"):
        resume(path, Result({**HEADER, "seed": 1}, made.questions))
    path.write_text("{}")
    with pytest.raises(DataError, match="no result"):
        load(path)


def test_parts_are_pooled_and_nothing_counts_twice():
    whole, first, second = result(), result(), result()
    first.runs = {label: whole.runs[label] for label in ("none", "clever", "own")}
    second.runs = {label: whole.runs[label] for label in ("random", "uniform")}
    pooled = pool([first, second])
    assert compute(pooled).suites.keys() == compute(whole).suites.keys()
    assert pooled.runs == whole.runs
    with pytest.raises(DataError, match="twice"):
        pool([whole, second])
    second.questions = {CALM: [replace(item(0), truth="It is green."), *map(item, range(1, N))]}
    with pytest.raises(DataError, match="different questions"):
        pool([first, second])


def test_the_report_names_every_method_and_draws_a_picture(tmp_path, capsys):
    path = tmp_path / "r.json"
    save(result(), path)
    assert report.main([str(path), "--plots", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "| clever | 10 | 11.0 | 75.0 |" in told
    assert "| own | own | 13.0 | 100.0 |" in told
    assert "| random | 50 | 50.0 | 95.0 |" in told
    assert "| uniform | 50 | 50.0 | 90.0 |" in told
    assert "| own | 13.0 | 100.0 | 100.0 |" in told
    assert "At none of their shares: uniform, random." in told
    assert (tmp_path / f"pruning-{CALM}.png").read_bytes().startswith(b"\x89PNG")
    assert report.main([str(tmp_path / "nothing.json")]) == 1


def test_every_task_of_every_suite_has_one_family():
    for _, tasks in SUITES.values():
        for task in tasks:
            assert sum(task in members for members in FAMILIES.values()) == 1


def test_questions_about_small_things_are_fine_ones():
    scene, posed = next(calm(3, ("colour", "where")))
    for one in posed:
        small = all(x.radius(scene.end(one.step)) < SMALL for x in one.question.about)
        assert (family(scene, one) == FINE) == small
    thing = posed[0].question.about[0]
    tiny = replace(thing, track=replace(thing.track, radius=tuple(0.05 for _ in thing.track.t)))
    asked = Posed("colour", posed[0].step, replace(posed[0].question, about=(tiny,)))
    assert family(scene, asked) == FINE


def test_calm_scenes_are_calm_and_the_same_every_time():
    first, again = next(calm(3, (*NOW, *PAST))), next(calm(3, (*NOW, *PAST)))
    assert (first[0].url, first[1]) == (again[0].url, again[1])
    assert first[0].url.startswith("demo:calm?seed=")
    assert {one.step for one in first[1]} <= set(range(11, first[0].steps, 12))
