"""`lookout eval embedded`: machinery held to an oracle and a parrot, and the card."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import islice

import pytest

from evaluation import card
from evaluation.catalog import EVALUATIONS
from evaluation.embedded import digest, main, measure, paired_accuracy, settings_for
from evaluation.gates import BLANK, STANDING
from evaluation.paired.command import main as score_pairs
from evaluation.report import lines, summary
from evaluation.rows import rows
from evaluation.suites import SUITES
from tests.evaluation.acting import Oracle, Parrot
from tests.evaluation.paired.cases import pair, write

LIMIT = 6


def oracle(names, seed=0) -> Oracle:
    footage = SUITES[names[0]].footage
    tasks = [task for name in names for task in SUITES[name].tasks]
    drawn = list(islice(footage.draw(seed, tasks), LIMIT))
    return Oracle(watched=drawn) if names == ["standing"] else Oracle(drawn)


GROUPS = [["now", "past"], ["held-out"], ["recall"], ["standing"]]


async def of_an_oracle(seed=0):
    found = {}
    for names in GROUPS:
        found.update(await measure(oracle(names, seed), names, seed, LIMIT))
    return found


async def test_an_oracle_is_right_everywhere_and_knows_nothing_in_the_dark():
    result = summary(await of_an_oracle(), 0.9)
    for name, suite in result["suites"].items():
        for row in suite["tasks"].values():
            if name == "standing":
                assert row["f1"] in (0, 1)
                assert row["f1"] == (row["events"] > 0)
                assert row["false_alarms_per_minute"] == 0
                assert row["right_words"] is None or row["right_words"]["value"] == 1
            else:
                assert (row["accuracy"], row["exact"], row["blank"]) == (1, 1, 0)
        assert suite["mistakes"] == []
    assert not [name for name, one in result["gates"].items() if one["met"] is False]
    assert result["gates"][BLANK]["met"]
    assert result["gates"][STANDING]["met"]


async def test_a_parrot_scores_no_more_than_its_blank_and_misses():
    found = await measure(Parrot("Yes."), ["now", "past"], 0, LIMIT)
    result = summary(found, None)
    for suite in result["suites"].values():
        for row in suite["tasks"].values():
            assert row["accuracy"] == row["blank"] <= row["most_frequent"]
        assert suite["mistakes"]
    text = "\n".join(lines(result))
    assert "MISSED" in text
    assert "not measured" in text
    assert not result["passed"]


async def test_one_that_always_speaks_scores_as_always_speaking_does():
    found = await measure(Parrot("Something."), ["standing"], 0, LIMIT)
    row = summary(found, None)["suites"]["standing"]["tasks"]["standing"]
    assert row["f1"] == row["always"]["f1"] == row["blank"]["f1"] < 0.8
    assert row["right_words"]["value"] == 0


async def test_suites_that_share_footage_are_played_once_and_the_dark_once_for_all():
    parrot = Parrot("Yes.")
    found = await measure(parrot, ["now", "past"], 0, LIMIT)
    assert [dark for dark, _ in parrot.watched] == [False] * LIMIT + [True]
    asked = sum(len(one.asked) for one in found.values())
    assert parrot.watched[-1][1] <= asked == sum(n for dark, n in parrot.watched if not dark)
    assert all(row.task in SUITES[name].tasks for name, one in found.items() for row in one.asked)


def result_of(found, seed: int) -> dict:
    """As the command writes it."""
    return json.loads(
        json.dumps(
            {
                **summary(found, None),
                "model": "embedded",
                "weights": digest("embedded"),
                "seeds": [seed],
                "trained_below": 1,
                "settings": {name: {} for name in found},
                "paired": None,
                "rows": {name: asdict(one) for name, one in found.items()},
            }
        )
    )


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "README.md").write_text(f"Before.\n{card.BEGIN}\nstale\n{card.END}\nAfter.\n")
    return tmp_path


async def test_results_survive_their_file(tmp_path):
    found = await of_an_oracle()
    for name, values in result_of(found, 0)["rows"].items():
        assert rows(values) == found[name]


async def test_the_card_pools_results_question_by_question(folder, tmp_path):
    paths = []
    for seed in (0, 1):
        result = result_of(await of_an_oracle(seed), seed)
        paths.append(tmp_path / f"{seed}.json")
        paths[-1].write_text(json.dumps(result))
    assert card.main([*map(str, paths), "--folder", str(folder)]) == 0
    text = (folder / "README.md").read_text()
    assert text.startswith(f"Before.\n{card.BEGIN}\n")
    assert text.endswith(f"{card.END}\nAfter.\n")
    assert "stale" not in text
    written = json.loads((folder / "evaluation.json").read_text())
    assert written["seeds"] == [0, 1]
    assert "rows" not in written
    single = json.loads(paths[0].read_text()), json.loads(paths[1].read_text())
    for name, suite in written["suites"].items():
        assert suite["scenes"] == 2 * LIMIT
        for task, row in suite["tasks"].items():
            if name != "standing":
                parts = [one["suites"][name]["tasks"].get(task, {"n": 0})["n"] for one in single]
                assert row["n"] == sum(parts)
                assert f"| {task} | 100.0" in text
    assert card.main([*map(str, paths), "--folder", str(folder)]) == 0
    assert (folder / "README.md").read_text() == text  # writing again changes nothing


async def test_the_card_refuses_what_does_not_belong_together(folder, tmp_path, capsys):
    found = await measure(Parrot("Yes."), ["held-out"], 0, 2)
    one = result_of(found, 0)
    other = {**one, "seeds": [1]}
    cases = {
        "one seed": one,
        "different models": {**other, "weights": "0"},
        "different settings": {**other, "settings": {"held-out": {"memory": 1}}},
        "lacks": {key: other[key] for key in other if key != "rows"},
    }
    (tmp_path / "one.json").write_text(json.dumps(one))
    for says, case in cases.items():
        (tmp_path / "other.json").write_text(json.dumps(case))
        paths = [str(tmp_path / "one.json"), str(tmp_path / "other.json")]
        assert card.main([*paths, "--folder", str(folder)]) == 1
        assert says in capsys.readouterr().err
    (folder / "README.md").write_text("no markers")
    assert card.main([str(tmp_path / "one.json"), "--folder", str(folder)]) == 2


def test_the_cards_readme_has_its_place_for_the_scores():
    text = (card.embedded_folder() / "README.md").read_text()
    assert text.index(card.BEGIN) < text.index(card.END)


def test_the_command_line_decides_over_what_the_footage_needs():
    footage = SUITES["recall"].footage
    assert settings_for(footage, [], "embedded").memory.capacity == 4096
    assert settings_for(footage, ["memory.capacity=64"], "embedded").memory.capacity == 64
    assert settings_for(footage, ["sampling.fps=7"], "embedded").sampling.fps == footage.fps


def test_a_wrong_call_is_refused_in_one_line(tmp_path, capsys):
    nothing = tmp_path / "nothing.json"
    nothing.write_text("{}")
    for call in (["--paired", str(nothing)], ["--seed", "100"], ["-c", "no.such=1"]):
        assert main([*call, "--limit", "1", "--suite", "held-out"]) == 2
        assert capsys.readouterr().err.splitlines()[-1].startswith("lookout eval embedded: ")


def test_the_catalog_offers_it():
    assert "embedded" in EVALUATIONS


def test_the_gate_of_pairs_reads_what_the_paired_scorer_writes(tmp_path):
    ways = ("left", "right")
    answers, out = tmp_path / "answers.jsonl", tmp_path / "result.json"
    write(answers, [*pair("p", ways, ways), *pair("q", ways, ("left", "left"))])
    assert score_pairs([str(answers), "--json", str(out)]) == 0
    assert paired_accuracy(out) == 0.5
