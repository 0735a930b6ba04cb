"""The committed embedded models: small stock checkpoints that answer through the pipeline."""

from __future__ import annotations

import json
from itertools import islice

import pytest
import torch
from transformers import AutoConfig, AutoTokenizer, Qwen3VLForConditionalGeneration

from evaluation.asking import ask
from evaluation.embedded import settings_for
from evaluation.recent import recent
from evaluation.responders import PipelineResponder
from evaluation.scoring import line, mistakes
from evaluation.suites import SUITES
from models.loading import embedded_folder
from stream.compose import open_house
from stream.sources import MaxPace

SCENES = 8
LARGEST = {"embedded": 10 * 2**20, "embedded-xs": 4 * 2**20}  # bytes
LEAST = {"embedded": 0.7, "embedded-xs": 0.45}  # share of right answers
EACH = pytest.mark.parametrize("name", list(LARGEST))


@EACH
def test_the_folder_is_small_and_complete(name):
    folder = embedded_folder(name)
    sizes = {file.name: file.stat().st_size for file in folder.iterdir() if file.is_file()}
    assert sum(sizes.values()) <= LARGEST[name]
    assert {
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
        "preprocessor_config.json",
        "video_preprocessor_config.json",
        "model.safetensors",
        "training.json",
        "README.md",
    } <= set(sizes)


@EACH
def test_stock_classes_load_it_without_a_missing_or_unexpected_weight(name):
    folder = embedded_folder(name)
    model, report = Qwen3VLForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert not report["mismatched_keys"]
    config = AutoConfig.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert config.video_token_id == tokenizer.convert_tokens_to_ids("<|video_pad|>")
    assert config.text_config.eos_token_id == tokenizer.eos_token_id
    assert len(tokenizer) <= model.get_input_embeddings().num_embeddings
    assert all(torch.isfinite(weight).all() for weight in model.state_dict().values())


@EACH
def test_its_training_facts_say_how_it_was_made(name):
    facts = json.loads((embedded_folder(name) / "training.json").read_text())
    assert {"seed", "parameters", "hardware", "settings", "phases"} <= set(facts)


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@EACH
async def test_it_answers_about_unseen_scenes_far_better_than_when_it_sees_nothing(
    name, one_thread
):
    drawn = list(islice(recent(97, ("colour", "shape", "direction", "exist")), SCENES))
    settings = settings_for(SUITES["now"].footage, [], name)
    async with open_house(settings, pace=MaxPace()) as house:
        rows = await ask(PipelineResponder(house), drawn, SCENES)
    found = line(rows)
    assert found["n"] > 2 * SCENES
    assert found["covered"] == 1
    assert found["accuracy"] > LEAST[name], mistakes(rows, SCENES)
    assert found["accuracy"] - found["blank"] > 0.25
