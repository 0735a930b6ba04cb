"""`lookout train embedded` runs, resumes, refuses nonsense, and leaves a stock checkpoint."""

from __future__ import annotations

import json

import pytest
import torch
from transformers import AutoTokenizer, Qwen3VLForConditionalGeneration

from core.errors import ConfigError
from models.loading import load_model
from training.catalog import TRAININGS
from training.embedded import main, train
from training.settings import DEFAULT, load


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A dry run of every phase."""
    out = tmp_path_factory.mktemp("run")
    train(load(DEFAULT).tiny(), out)
    return out


def test_every_phase_takes_steps_and_says_so(run):
    facts = json.loads((run / "training.json").read_text())
    assert list(facts["phases"]) == ["eye", "questions", "streams"]
    for phase in facts["phases"].values():
        assert phase["steps"] == 2
        assert phase["last"]["loss"] > 0
    assert (run / "curves.png").stat().st_size > 1000


def test_training_moves_the_weights_it_should_and_no_others(run):
    states = {
        name: torch.load(run / f"{name}.pt", weights_only=True)["phase"]
        for name in ("eye", "questions", "streams")
    }
    eye, head = "model.model.visual.merger.linear_fc2.weight", "model.lm_head.weight"
    assert torch.equal(
        states["eye"][head], states["eye"]["model.model.language_model.embed_tokens.weight"]
    )
    assert not torch.equal(states["eye"][eye], states["questions"][eye])
    assert torch.equal(states["questions"][eye], states["streams"][eye]), "the eye rests"
    assert not torch.equal(states["questions"][head], states["streams"][head])


def test_the_folder_loads_with_stock_classes_and_with_ours(run):
    model = Qwen3VLForConditionalGeneration.from_pretrained(run / "model", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(run / "model")
    saved = torch.load(run / "streams.pt", weights_only=True)["phase"]
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, saved[f"model.{name}"].bfloat16().float()), name
    assert tokenizer("a red star")["input_ids"]
    assert model.lm_head.weight is model.model.language_model.embed_tokens.weight
    ours = load_model(str(run / "model"), device="cpu")
    assert ours.info.architecture == "qwen3_vl"


def test_a_finished_run_is_taken_up_and_left_as_it_is(run, tmp_path):
    before = torch.load(run / "streams.pt", weights_only=True)
    train(load(DEFAULT).tiny(), run, resume=True)
    after = torch.load(run / "streams.pt", weights_only=True)
    assert before["step"] == after["step"]
    assert all(torch.equal(before["phase"][k], after["phase"][k]) for k in before["phase"])


def test_the_same_seed_trains_the_same_weights(tmp_path):
    small = load(DEFAULT).tiny()
    states = []
    for name in ("a", "b"):
        train(small, tmp_path / name)
        states.append(torch.load(tmp_path / name / "streams.pt", weights_only=True)["phase"])
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])


def test_minutes_scale_all_phases():
    settings = load(DEFAULT)
    short = settings.lasting(1.0)
    assert short.eye.minutes + short.questions.minutes + short.streams.minutes == pytest.approx(1)
    assert short.eye.minutes / short.streams.minutes == pytest.approx(
        settings.eye.minutes / settings.streams.minutes
    )


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (("rate: 0.002", "rate: -1"), "eye.rate"),
        (("seed: 1", "sead: 1"), "seed"),
        (("appeared:", "vanished:"), "vanished"),
        (("steps: [1, 16]", "steps: [9, 2]"), "streams.steps"),
    ],
)
def test_a_wrong_configuration_is_refused_by_file_and_key(tmp_path, change, names):
    text = DEFAULT.read_text()
    assert change[0] in text
    file = tmp_path / "mine.yaml"
    file.write_text(text.replace(*change))
    with pytest.raises(ConfigError, match=names) as caught:
        load(file)
    assert "mine.yaml" in str(caught.value)


def test_a_wrong_configuration_ends_with_status_2(tmp_path, capsys):
    assert main(["--config", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml" in capsys.readouterr().out


def test_the_catalog_offers_it():
    assert "embedded" in TRAININGS["embedded"].description
