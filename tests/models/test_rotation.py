"""Turning stored keys agrees with how the model turns them."""

from __future__ import annotations

import torch
from transformers.models.qwen3_vl.modeling_qwen3_vl import apply_rotary_pos_emb

from models.qwen3_vl import Qwen3VL
from tests.tiny import ours, stock


def test_a_bare_key_put_at_a_position_is_the_key_the_model_computes():
    model = ours()
    assert isinstance(model, Qwen3VL)
    d = model.shape.head_dim
    keys = torch.randn(1, 3, 7, d)
    positions = torch.randint(0, 5000, (3, 1, 7))
    cos, sin = stock().model.language_model.rotary_emb(keys, positions)
    _, wanted = apply_rotary_pos_emb(keys, keys, cos, sin)
    found = model.rotation.put(keys, positions[:, 0].T)
    assert (found - wanted).abs().max() < 2e-3, "transformers' angles are float32"
    near = torch.randint(0, 8, (3, 1, 7))
    cos, sin = stock().model.language_model.rotary_emb(keys, near)
    _, wanted = apply_rotary_pos_emb(keys, keys, cos, sin)
    assert (model.rotation.put(keys, near[:, 0].T) - wanted).abs().max() < 1e-5


def test_taking_a_position_off_undoes_putting_it_on_years_into_a_stream():
    model = ours()
    keys = torch.randn(2, 9, model.shape.head_dim)
    positions = torch.randint(0, 10**10, (9, 3))
    back = model.rotation.take(model.rotation.put(keys, positions), positions)
    assert (back - keys).abs().max() < 1e-5
    shifted = model.rotation.take(model.rotation.put(keys, positions), positions + 1)
    assert (shifted - keys).abs().max() > 0.1
