"""Checkpoints that are damaged, incomplete or for other hardware are refused in one clear line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.errors import ModelLoadFailed
from models.loading import load_model
from tests.tiny import save

WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    return save(tmp_path_factory.mktemp("saved"))


@pytest.fixture
def folder(saved, tmp_path) -> Path:
    return shutil.copytree(saved, tmp_path / "checkpoint")


def halve(folder: Path) -> None:
    weights = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(weights[: len(weights) // 2])


def empty(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(b"")


def lose_a_tensor(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    del weights["model.language_model.layers.0.mlp.up_proj.weight"]
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})


def rename_a_token(folder: Path) -> None:
    text = (folder / "tokenizer.json").read_text()
    (folder / "tokenizer.json").write_text(text.replace("<|vision_start|>", "<|other|>"))


def spoil_the_preprocessor(folder: Path) -> None:
    (folder / "preprocessor_config.json").write_text("{")


def spoil_the_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (halve, "whole"),
        (empty, "whole"),
        (lose_a_tensor, "up_proj"),
        (rename_a_token, "vision_start"),
        (spoil_the_preprocessor, "Expecting property name"),
        (spoil_the_config, "config.json"),
    ],
)
def test_a_damaged_checkpoint_is_refused_by_name(folder, damage: Callable[[Path], None], says):
    damage(folder)
    with pytest.raises(ModelLoadFailed, match=says) as refused:
        load_model(str(folder))
    assert str(folder) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("device", ["gpu", f"cuda:{torch.cuda.device_count()}"])
def test_a_device_that_is_not_there_is_refused_by_name(folder, device):
    with pytest.raises(ModelLoadFailed, match=device):
        load_model(str(folder), device=device)


def test_tied_embeddings_are_not_taken_for_missing(folder):
    config = json.loads((folder / "config.json").read_text())
    for part in (config, config["text_config"]):
        part["tie_word_embeddings"] = True
    (folder / "config.json").write_text(json.dumps(config))
    weights = load_file(folder / WEIGHTS)
    del weights["lm_head.weight"]
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    model = load_model(str(folder), device="cpu")
    assert model.shape.layers == 4


def test_a_whole_checkpoint_loads(folder):
    assert load_model(str(folder), device="cpu").info.parameters > 0
