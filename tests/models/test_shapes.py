"""Models of the published sizes."""

from __future__ import annotations

import pytest
import torch
from transformers import Qwen3VLForConditionalGeneration

from core.errors import ConfigError
from models.shapes import draw, load_shape, shape_names
from tests.tiny import segment


@pytest.mark.parametrize(("name", "parameters"), [
    ("qwen3-vl-2b", 2_127_532_032), ("qwen3-vl-4b", 4_437_815_808),
    ("qwen3-vl-8b", 8_767_123_696),
])  # fmt: skip
def test_the_shapes_have_as_many_parameters_as_the_published_models(name, parameters):
    with torch.device("meta"):
        config = load_shape(name).config()
        model = Qwen3VLForConditionalGeneration._from_config(config, dtype=torch.bfloat16)
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_a_shape_that_is_not_there_is_an_error_that_names_those_that_are():
    with pytest.raises(ConfigError, match="qwen3-vl-8b"):
        load_shape("qwen3-vl-9b")
    assert set(shape_names()) == {"qwen3-vl-2b", "qwen3-vl-4b", "qwen3-vl-8b", "tiny"}


def test_a_drawn_model_sees_and_never_stops_of_its_own_accord():
    model = draw(load_shape("tiny"), torch.device("cpu"), torch.float32, pixels=96 * 96)
    tokens = model.encode([segment(0, size=(96, 96))])[0]
    assert tokens.features.shape == (9, 64) and len(tokens.deepstack) == 2
    assert tokens.features.isfinite().all() and tokens.features.std() > 0
    assert not model.stop_ids and model.detokenize([5, 7]) == " 5 7"


def test_a_model_is_drawn_the_same_each_time_and_leaves_the_random_numbers_of_others_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, second = (
        draw(load_shape("tiny"), torch.device("cpu"), torch.float32, pixels=96 * 96)
        for _ in range(2)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(first.prefix().embeds, second.prefix().embeds)


def test_a_model_may_be_drawn_with_compiled_parts_and_says_the_same():
    torch._dynamo.reset()
    shape, cpu = load_shape("tiny"), torch.device("cpu")
    plain, compiled = (
        draw(shape, cpu, torch.float32, pixels=96 * 96, compiler=by) for by in (None, "eager")
    )
    seen = [model.encode([segment(0, size=(96, 96))])[0].features for model in (plain, compiled)]
    assert torch.allclose(seen[0], seen[1], atol=1e-5)
    assert compiled.network.model.visual.blocks[0].mlp._compiled_call_impl is not None
    torch._dynamo.reset()
