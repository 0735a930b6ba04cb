"""`lookout train embedded` runs, resumes, refuses nonsense, and leaves a stock checkpoint."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from transformers import AutoTokenizer, Qwen3VLForConditionalGeneration

from core.errors import ConfigError
from models.loading import load_model
from training.architecture import SIZES, embedded_config, new_model
from training.catalog import TRAININGS
from training.embedded import _phases, main, train
from training.film import Darkroom
from training.loop import Trainer
from training.settings import DEFAULTS, LATER, PHASES, load
from training.vocabulary import SPECIAL, new_tokenizer
from training.warm import take_up

DEFAULT = DEFAULTS["xs"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A dry run of every phase."""
    out = tmp_path_factory.mktemp("run")
    train(load(DEFAULT).tiny(), out)
    return out


def test_every_phase_takes_steps_and_says_so(run):
    facts = json.loads((run / "training.json").read_text())
    assert list(facts["phases"]) == list(PHASES)
    for phase in facts["phases"].values():
        assert phase["steps"] == 2
        assert phase["last"]["loss"] > 0
    assert (run / "curves.png").stat().st_size > 1000


def test_training_moves_the_weights_it_should_and_no_others(run):
    states = {name: torch.load(run / f"{name}.pt", weights_only=True)["phase"] for name in PHASES}
    eye, head = "model.model.visual.merger.linear_fc2.weight", "model.lm_head.weight"
    assert torch.equal(
        states["eye"][head], states["eye"]["model.model.language_model.embed_tokens.weight"]
    )
    assert not torch.equal(states["eye"][eye], states["questions"][eye])
    assert torch.equal(states["questions"][eye], states["streams"][eye]), "the eye rests"
    assert torch.equal(states["streams"][eye], states["recall"][eye])
    assert not torch.equal(states["questions"][head], states["streams"][head])
    assert not torch.equal(states["streams"][head], states["recall"][head])


def test_the_folder_loads_with_stock_classes_and_with_ours(run):
    model = Qwen3VLForConditionalGeneration.from_pretrained(run / "model", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(run / "model")
    saved = torch.load(run / "recall.pt", weights_only=True)["phase"]
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


@pytest.mark.parametrize("size", SIZES)
def test_every_size_has_a_configuration_and_takes_a_step(size, tmp_path):
    settings = load(DEFAULTS[size])
    assert settings.size == size
    facts = train(settings.tiny(), tmp_path)
    assert all(phase["steps"] == 2 for phase in facts["phases"].values())


def test_a_run_can_start_from_an_earlier_model_with_fewer_words(run, tmp_path):
    tokenizer = new_tokenizer()
    special = {name: tokenizer.convert_tokens_to_ids(name) for name in SPECIAL}
    model = new_model(embedded_config(special, SIZES["xs"]), seed=5)
    earlier = Qwen3VLForConditionalGeneration.from_pretrained(run / "model", dtype=torch.float32)
    shorter = tmp_path / "shorter"
    shutil.copytree(run / "model", shorter)
    known = AutoTokenizer.from_pretrained(shorter)
    take_up(model, tokenizer, shorter)
    assert torch.equal(model.model.visual.pos_embed.weight, earlier.model.visual.pos_embed.weight)
    words, theirs = (m.get_input_embeddings().weight for m in (model, earlier))
    vocabulary = known.get_vocab()
    for word in ("<|silent|>", "<|im_end|>", "a"):
        place = tokenizer.convert_tokens_to_ids(word)
        assert torch.equal(words[place], theirs[vocabulary[word]])
    with pytest.raises(ConfigError, match="another size"):
        take_up(new_model(embedded_config(special), seed=0), tokenizer, shorter)
    with pytest.raises(ConfigError, match="no model"):
        take_up(model, tokenizer, tmp_path / "nowhere")


def test_a_run_from_an_earlier_model_does_not_train_the_eye_alone(run, tmp_path, capsys):
    """Its phase would draw other axes than those the language model reads."""
    shutil.copy(DEFAULT, tmp_path / "mine.yaml")
    call = ["--config", str(tmp_path / "mine.yaml"), "--out", str(tmp_path / "out"), "--dry-run"]
    assert main([*call, "--minutes", "6", "--from", str(run / "model")]) == 0
    facts = json.loads((tmp_path / "out" / "training.json").read_text())
    assert list(facts["phases"]) == list(LATER) == ["questions", "streams", "recall"]
    assert not (tmp_path / "out" / "eye.pt").exists()
    minutes = [facts["settings"][name]["minutes"] for name in LATER]
    assert sum(minutes) == pytest.approx(6), "the eye takes none of the time"
    assert "compile needs CUDA" in capsys.readouterr().out or facts["compiled"]
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "phase is then not run" in " ".join(capsys.readouterr().out.split())


def test_a_folder_without_a_model_to_start_from_ends_with_status_2(tmp_path, capsys):
    call = ["--size", "xs", "--dry-run", "--out", str(tmp_path / "out")]
    assert main([*call, "--from", str(tmp_path / "nowhere")]) == 2
    assert "no model to start from" in capsys.readouterr().out


def test_a_loss_that_is_not_a_number_ends_the_run_and_leaves_the_last_state(run, tmp_path):
    settings = load(DEFAULT).tiny()
    phase, budget = _phases(settings, _model(), new_tokenizer(), Darkroom(torch.device("cpu"), 0))[
        0
    ]
    with torch.no_grad():
        phase.heads[0].weight.fill_(torch.nan)
    with pytest.raises(ArithmeticError, match="eye"):
        Trainer(phase, budget, tmp_path, seed=0, workers=0).run()
    assert not (tmp_path / "eye.pt").exists()


def _model():
    tokenizer = new_tokenizer()
    special = {name: tokenizer.convert_tokens_to_ids(name) for name in SPECIAL}
    return new_model(embedded_config(special, SIZES["xs"]), seed=5)


def test_minutes_scale_all_phases():
    settings = load(DEFAULT)
    short = settings.lasting(1.0)
    assert sum(getattr(short, name).minutes for name in PHASES) == pytest.approx(1)
    assert short.eye.minutes / short.streams.minutes == pytest.approx(
        settings.eye.minutes / settings.streams.minutes
    )


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (("rate: 0.002", "rate: -1"), "eye.rate"),
        (("size: xs", "size: xl"), "size"),
        (("rare:", "gloomy:"), "gloomy"),
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
