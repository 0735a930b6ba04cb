"""Compiled parts compute what they did before, for any number of tokens."""

from __future__ import annotations

import pytest
import torch
from transformers import Qwen3VLForConditionalGeneration

from models.compiling import compile_parts
from models.loading import load_model
from models.qwen3_vl import Qwen3VL
from tests.models.harness import Stream
from tests.tiny import CELL, ours, save, segment, stock, tokenizer


@pytest.fixture
def compiled() -> Qwen3VL:
    """Traced whole and run by torch's interpreter of traces: no kernels are made."""
    torch._dynamo.reset()
    bare = Qwen3VLForConditionalGeneration(type(stock().config)(**stock().config.to_dict()))
    bare.load_state_dict(stock().state_dict())
    bare.generation_config.eos_token_id = stock().generation_config.eos_token_id
    compile_parts(bare.eval().requires_grad_(False), backend="eager")
    yield Qwen3VL(bare, tokenizer(), ours().info, min_pixels=4 * CELL**2, max_pixels=64 * CELL**2)
    torch._dynamo.reset()


def test_answers_are_those_of_the_model_as_it_was(compiled) -> None:
    said = []
    for model in (ours(), compiled):
        stream = Stream(model)
        stream.watch([segment(n, steps=1 + n % 2) for n in range(3)])
        said.append(stream.ask("what do you see?", tokens=6))
    assert said[0][0] == said[1][0]
    assert torch.allclose(said[0][1], said[1][1], atol=1e-4)


def test_parameters_keep_their_names(compiled) -> None:
    names = {name for name, _ in compiled._model.named_parameters()}
    assert names == {name for name, _ in ours()._model.named_parameters()}


def test_a_model_is_loaded_compiled_where_that_is_wanted(tmp_path) -> None:
    folder = str(save(tmp_path))
    for wanted in (False, True):
        model = load_model(folder, device="cpu", compiled=wanted)
        assert isinstance(model, Qwen3VL)
        layer = model._model.model.language_model.layers[0]
        assert (layer.mlp._compiled_call_impl is not None) == wanted
        assert layer.self_attn._compiled_call_impl is None
