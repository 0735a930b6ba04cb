"""`lookout eval pruning` on a tiny model: it measures, goes on where it ended, and refuses."""

from __future__ import annotations

import pytest
import torch

from core.errors import ConfigError
from evaluation.pruning.command import main
from evaluation.pruning.methods import INGEST, QUESTION, chosen, methods
from evaluation.pruning.results import load
from pruning.registry import policies
from pruning.selectors.registry import selectors
from tests.evaluation.pruning.scenes import folder


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_run_that_is_repeated_measures_only_what_is_missing(tmp_path, capsys):
    model, path = str(folder(tmp_path / "model")), tmp_path / "r.json"
    call = ["--model", model, "--suite", "short", "--limit", "1", "--budgets", "25"]
    call += ["--json", str(path), "--methods", "none", "uniform", "random"]
    assert main([*call, "--part", "2/3"]) == 0
    assert "tables also need none, random" in capsys.readouterr().out
    assert set(load(path).runs) == {"uniform"}
    assert main(call) == 0
    first = load(path)
    assert set(first.runs) == {"none", "uniform", "random"}
    (run,) = first.runs["uniform"]["short"]
    assert run.share == pytest.approx(0.25)
    assert len(run.answers) == len(first.questions["short"]) > 0
    (dense,) = first.runs["none"]["short"]
    assert (dense.asked, dense.share) == (None, 1.0)
    assert main([*call, "even"]) == 0
    second = load(path)
    assert set(second.runs) == {"none", "uniform", "random", "even"}
    assert second.moments["even"] == QUESTION
    assert second.seconds["none"] == first.seconds["none"], "it was not measured again"
    assert "even" in capsys.readouterr().out
    assert main([*call, "--seed", "1"]) == 2
    assert "other settings" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--methods", "magic"], "vcast"),
        (["--budgets", "0"], "--budgets"),
        (["--part", "3/2"], "I/N"),
        (["--segment", "0"], "--segment"),
    ],
)
def test_a_wrong_call_is_status_2_and_says_what_is_allowed(arguments, named, capsys):
    assert main([*arguments, "--limit", "1"]) == 2
    assert named in capsys.readouterr().err


def test_every_method_of_both_registries_has_one_label():
    known = methods(16)
    assert len({one.label for one in known}) == len(known)
    assert sum(one.moment == INGEST for one in known) == len(policies())
    assert sum(one.moment == QUESTION for one in known) == len(selectors(16))


def test_parts_share_the_methods_out():
    known = methods(16)
    parts = [chosen(known, [], (number, 3)) for number in (1, 2, 3)]
    assert sorted(one.label for part in parts for one in part) == sorted(x.label for x in known)
    assert {one.name for one in chosen(known, ["vcast", "even"], (1, 1))} == {"vcast", "even"}
    with pytest.raises(ConfigError, match="magic"):
        chosen(known, ["magic"], (1, 1))
