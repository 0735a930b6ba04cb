"""Turning stored keys agrees with how the model turns them."""

from __future__ import annotations

import math

import pytest
import torch
from transformers.models.qwen3_vl.modeling_qwen3_vl import apply_rotary_pos_emb

from models.qwen3_vl import Qwen3VL
from models.rotary import ExactRotary
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


# How far a score can move when query and key are both shifted, by an error law of rounding to a
# unit of u: a turned channel is a * cos - b * sin of rounded sines and cosines, rounded products
# and a rounded sum, so it errs by at most g = (1 + u)^3 - 1 of |a cos| + |b sin|; a turned pair of
# channels of length r then errs by at most sqrt(2) g r, a score of two unit pairs by
# 2 sqrt(2) g + 2 g^2, and two such scores differ by twice that. No position is in it.
FAR = 10_000_000
DISTANCES = torch.tensor([0, 1, 2, 7, 50, 311, 1000, 4095])


def bound(dtype: torch.dtype) -> float:
    g = (1 + torch.finfo(dtype).eps / 2) ** 3 - 1
    return 2 * (2 * math.sqrt(2) * g + 2 * g**2)


def moved(rotary: torch.nn.Module, dtype: torch.dtype, start: int) -> torch.Tensor:
    """By how much scores of unit pairs move when all positions do, per pair and distance.

    The key points along its pair's first channel and the query a quarter turn ahead, where an
    angle's error weighs most.
    """
    d = ours().shape.head_dim
    keys, queries = torch.eye(d)[: d // 2], torch.eye(d)[d // 2 :]  # [pairs, d]

    def scores(base: int) -> torch.Tensor:
        at = (base + torch.cat([DISTANCES * 0, DISTANCES]))[None, None].expand(3, 1, -1)
        cos, sin = rotary(torch.empty(0, dtype=dtype), at)
        k = keys.to(dtype)[None, :, None].expand(-1, -1, at.shape[2], -1)
        q = queries.to(dtype)[None, :, None].expand(-1, -1, at.shape[2], -1)
        q, k = apply_rotary_pos_emb(q, k, cos, sin)  # [1, pairs, 2 distances, d]
        n = len(DISTANCES)
        return (q[0, :, n:].double() * k[0, :, :n].double()).sum(-1)

    return (scores(start) - scores(0)).abs()


@pytest.mark.parametrize("start", [1, FAR, 100 * FAR])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_shift_of_all_positions_moves_no_score_beyond_what_rounding_may(dtype, start):
    exact = ExactRotary(stock().model.language_model.rotary_emb)
    assert moved(exact, dtype, start).max() <= bound(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_angles_in_float32_move_scores_beyond_that(dtype):
    """The negative control; near the beginning they do not."""
    plain = stock().model.language_model.rotary_emb
    assert moved(plain, torch.bfloat16, 1).max() <= bound(torch.bfloat16)
    assert moved(plain, dtype, FAR).max() > bound(dtype)
