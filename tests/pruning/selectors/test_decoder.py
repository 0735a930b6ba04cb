"""The decoder layer against transformers' own, and files of weights that do not fit."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from transformers import Qwen3VLTextConfig
from transformers.models.qwen3_vl.modeling_qwen3_vl import (
    Qwen3VLTextDecoderLayer,
    Qwen3VLTextRotaryEmbedding,
)

from core.errors import ModelLoadFailed
from core.tokens import Grid
from pruning.selectors.cacovid_policy import PolicyNetwork
from pruning.selectors.decoder import DecoderLayer, positions, rotary
from pruning.selectors.weights import Shape, fill

SHAPES = [
    Shape(32, 4, 2, 8, 48, 1e4, (2, 1, 1)),
    Shape(24, 3, 1, 16, 32, 5e6, (4, 2, 2)),
    Shape(16, 2, 2, 128, 8, 5e6, (24, 20, 20)),
]


def stock(shape: Shape) -> tuple[Qwen3VLTextDecoderLayer, Qwen3VLTextRotaryEmbedding]:
    config = Qwen3VLTextConfig(
        hidden_size=shape.width, intermediate_size=shape.hidden, head_dim=shape.head_dim,
        num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads,
        rms_norm_eps=shape.eps,
        rope_parameters={"rope_type": "default", "rope_theta": shape.theta,
                         "mrope_section": list(shape.sections)},
    )  # fmt: skip
    config._attn_implementation = "eager"
    return Qwen3VLTextDecoderLayer(config, 0).eval(), Qwen3VLTextRotaryEmbedding(config)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_layer_is_that_of_transformers_without_causality(shape):
    torch.manual_seed(0)
    theirs, turning = stock(shape)
    for weight in theirs.parameters():  # norms too
        torch.nn.init.normal_(weight, std=0.3)
    ours = DecoderLayer(shape)
    fill(ours, theirs.state_dict(), "the layer")
    x, where = torch.randn(11, shape.width), torch.randint(0, 40, (3, 11))
    waves = turning(x[None], where[:, None])
    open_mask = torch.zeros(1, 1, 11, 11)
    assert torch.allclose(
        ours(x, where), theirs(x[None], waves, attention_mask=open_mask)[0], atol=1e-4
    )
    closed = torch.full((11, 11), -torch.inf).triu(1)[None, None]
    assert not torch.allclose(
        ours(x, where), theirs(x[None], waves, attention_mask=closed)[0], atol=1e-2
    )


def test_angles_stay_exact_however_far_the_positions_are():
    shape = SHAPES[2]
    near, far = (rotary(torch.tensor([[0, 1]] * 3) + start, shape) for start in (0, 10**9))
    for near_wave, far_wave in ((near, far),):
        turns = [torch.complex(cos[:, :64], sin[:, :64]) for cos, sin in (near_wave, far_wave)]
        between = [turn[1] * turn[0].conj() for turn in turns]
        assert torch.allclose(*between, atol=1e-5)


def test_positions_of_a_bank_and_its_question():
    """A grid of 2 steps of 2 x 3: tokens 1, 4 and 8, then two words behind the widest, 3."""
    where = positions(torch.tensor([1, 4, 8]), Grid(2, 2, 3), 2)
    assert where.T.tolist() == [[0, 0, 1], [0, 1, 1], [1, 0, 2], [3, 3, 3], [4, 4, 4]]


def test_shapes_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="heads"):
        Shape(16, 4, 3, 8, 8, 1e4, (2, 1, 1))
    with pytest.raises(ValueError, match="half"):
        Shape(16, 4, 2, 8, 8, 1e4, (2, 2, 2))


@pytest.mark.parametrize("width", [2, 16, 100, 384, 2048])
def test_there_is_a_small_shape_for_every_width(width):
    shape = Shape.small(width)
    assert DecoderLayer(shape)(torch.ones(2, width), torch.zeros(3, 2).long()).shape == (2, width)


def test_a_network_that_was_saved_is_the_same(tmp_path):
    network = PolicyNetwork(SHAPES[0], seed=3)
    network.save(tmp_path / "policy.safetensors")
    again = PolicyNetwork.load(tmp_path / "policy.safetensors")
    assert again.shape == network.shape
    for name, value in network.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])


def test_networks_of_one_seed_are_equal_and_leave_other_random_numbers_alone():
    torch.manual_seed(5)
    one = PolicyNetwork(SHAPES[0], seed=1)
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), drawn)
    other, third = PolicyNetwork(SHAPES[0], seed=1), PolicyNetwork(SHAPES[0], seed=2)
    name = "layer.self_attn.q_proj.weight"
    assert torch.equal(one.state_dict()[name], other.state_dict()[name])
    assert not torch.equal(one.state_dict()[name], third.state_dict()[name])


def test_a_policy_begins_as_the_language_models_layer():
    theirs, _ = stock(SHAPES[1])
    network = PolicyNetwork.of_language_layer(SHAPES[1], theirs.state_dict())
    assert torch.equal(network.layer.mlp.up_proj.weight, theirs.mlp.up_proj.weight)
    with pytest.raises(ModelLoadFailed, match="language model's layer"):
        PolicyNetwork.of_language_layer(SHAPES[0], theirs.state_dict())


def spoilt(weights: dict[str, torch.Tensor], how: str) -> dict[str, torch.Tensor]:
    name = "norm.weight"
    if how == "lacks norm.weight":
        del weights[name]
    elif how == "norm.weight as":
        weights[name] = torch.ones(3)
    elif how == "NaN or infinity in norm.weight":
        weights[name] = torch.full_like(weights[name], torch.nan)
    else:
        weights["something"] = torch.ones(1)
    return weights


@pytest.mark.parametrize(
    "how",
    ["lacks norm.weight", "norm.weight as", "NaN or infinity in norm.weight", "holds something"],
)
def test_weights_that_do_not_fit_are_refused_by_name(how):
    network = PolicyNetwork(SHAPES[0])
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(ModelLoadFailed, match=how):
        fill(network, spoilt(dict(before), how), "the file")
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), "nothing is loaded in part"


def test_files_that_are_no_such_weights_are_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(ModelLoadFailed, match="cannot be read"):
        PolicyNetwork.load(path)
    path.write_bytes(b"not weights at all")
    with pytest.raises(ModelLoadFailed, match="cannot be read"):
        PolicyNetwork.load(path)
    save_file({"a": torch.ones(1)}, path)
    with pytest.raises(ModelLoadFailed, match="not weights of cacovid"):
        PolicyNetwork.load(path)
    for shape in ("{}", "[", '{"sections": 3}'):
        save_file({"a": torch.ones(1)}, path, metadata={"network": "cacovid", "shape": shape})
        with pytest.raises(ModelLoadFailed, match="shape"):
            PolicyNetwork.load(path)
