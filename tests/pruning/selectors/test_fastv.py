"""FastV: the recomputed row against transformers' own attention, the choice by hand."""

from __future__ import annotations

import pytest
import torch
from transformers import Qwen3VLTextConfig
from transformers.models.qwen3_vl.modeling_qwen3_vl import (
    Qwen3VLTextAttention,
    Qwen3VLTextRotaryEmbedding,
    apply_rotary_pos_emb,
)

from pruning.selectors.fastv import FastV, last_row
from pruning.selectors.selector import Question
from tests.pruning.scenes import stream, tokens


def test_the_row_is_the_last_one_of_the_whole_layers_attention():
    torch.manual_seed(0)
    config = Qwen3VLTextConfig(
        hidden_size=32, num_attention_heads=4, num_key_value_heads=2, head_dim=8,
        rope_parameters={"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]},
    )  # fmt: skip
    config._attn_implementation = "eager"
    layer = Qwen3VLTextAttention(config, 0).eval()
    hidden, n = torch.randn(1, 13, 32), 13
    cos, sin = Qwen3VLTextRotaryEmbedding(config)(hidden, torch.arange(n).expand(3, 1, n))
    mask = torch.full((n, n), -torch.inf).triu(1)[None, None]
    _, weights = layer(hidden, (cos, sin), mask)
    query = layer.q_norm(layer.q_proj(hidden).view(1, n, 4, 8)).transpose(1, 2)
    keys = layer.k_norm(layer.k_proj(hidden).view(1, n, 2, 8)).transpose(1, 2)
    query, keys = apply_rotary_pos_emb(query, keys, cos, sin)
    row = last_row(query[0, :, -1], keys[0])
    assert torch.allclose(row, weights[0, :, -1].mean(dim=0), atol=1e-6)
    shared_wrongly = last_row(query[0, [0, 2, 1, 3], -1], keys[0])
    assert not torch.allclose(shared_wrongly, row, atol=1e-4), "which keys a head reads must matter"


def test_the_row_of_a_worked_example():
    """One head of width 4: logits 2 ln 3 / 2 = ln 3 and 0 give three quarters and one."""
    query = torch.tensor([[2.0, 0.0, 0.0, 0.0]])
    keys = torch.tensor([[[torch.tensor(3.0).log(), 0.0, 0.0, 0.0], [0.0, 5.0, 5.0, 5.0]]])
    assert last_row(query, keys).tolist() == pytest.approx([0.75, 0.25])


def test_shapes_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match="do not match"):
        last_row(torch.ones(3, 4), torch.ones(2, 5, 4))
    with pytest.raises(ValueError, match="do not match"):
        last_row(torch.ones(4, 4), torch.ones(2, 5, 6))


def test_the_most_attended_are_read_in_the_order_of_the_stream():
    shown = tokens(stream(0, 1)).select(torch.arange(6))
    question = Question(torch.ones(1, 16), torch.tensor([0.1, 0.3, 0.05, 0.3, 0.05, 0.2]))
    assert FastV().select(shown, question, 3).rows.tolist() == [1, 3, 5]
    assert FastV().select(shown, question, 2).rows.tolist() == [1, 3]
    assert FastV().select(shown, question, 1).rows.tolist() == [1], "of equals the earlier"
