"""The attention that tokens carry is that of the last vision block, under the right token."""

from __future__ import annotations

from copy import deepcopy
from functools import cache

import pytest
import torch
from transformers import AttentionInterface
from transformers.vision_utils import get_vision_position_ids

from core.frames import Segment
from models.preprocess import patchify
from tests.tiny import MERGE, PATCH, ours, segment, stock

SIZES = [(48, 64), (64, 48), (32, 96)]


@cache
def reference(index: int, steps: int, size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Received attention [steps, h * w] by plain softmax, and the same pooled as if in raster."""
    weights = []

    def plain(module, query, key, value, attention_mask, scaling, **kwargs):
        scores = (query @ key.mT * scaling).softmax(dim=-1)
        if module is tower.blocks[-1].attn:
            weights.append(scores[0])
        return (scores @ value).transpose(1, 2), None

    AttentionInterface.register("plain_for_tests", plain)
    tower = deepcopy(stock().model.visual)
    tower.set_attn_implementation("plain_for_tests")
    frames = [frame.pixels for frame in segment(index, steps=steps, size=size).frames]
    pixels, grid = patchify(frames, size, patch=PATCH, merge=MERGE, temporal=2)
    tower(pixels, grid_thw=grid)
    patches = torch.stack([w.mean(dim=(0, 1)) for w in weights])  # [steps, patches]
    h, w = (int(side) // MERGE for side in grid[0, 1:])
    place = get_vision_position_ids(grid, MERGE)[: h * w * MERGE**2]
    token = place[:, 0] // MERGE * w + place[:, 1] // MERGE
    right = torch.zeros(steps, h * w).index_add_(1, token, patches)
    raster = patches.reshape(steps, h, MERGE, w, MERGE).sum(dim=(2, 4)).flatten(1)
    return right, raster


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("steps", [1, 3])
def test_tokens_carry_what_their_four_patches_received_in_the_last_block(steps, size):
    tokens = ours().encode([segment(3, steps=steps, size=size)], attention=True)[0]
    expected, _ = reference(3, steps, size)
    assert tokens.attention is not None
    assert torch.allclose(tokens.attention.reshape(steps, -1), expected, atol=1e-6)
    assert torch.allclose(tokens.attention.reshape(steps, -1).sum(dim=1), torch.tensor(1.0))


@pytest.mark.parametrize("size", SIZES)
def test_pooling_as_if_patches_stood_in_raster_order_is_caught(size):
    """The negative control: that mistake moves attention by far more than the tolerance above."""
    right, raster = reference(3, 1, size)
    assert (right - raster).abs().max() > 1e-3


def test_segments_of_several_cameras_get_their_own():
    pictures: list[Segment] = [segment(i, steps=1 + i, size=SIZES[i]) for i in range(3)]
    together = ours().encode(pictures, attention=True)
    for one, tokens in zip(pictures, together, strict=True):
        alone = ours().encode([one], attention=True)[0]
        assert torch.allclose(tokens.attention, alone.attention, atol=1e-6)


def test_asking_for_attention_changes_no_feature_and_not_asking_gives_none():
    one = segment(0, steps=2)
    plain, asked = ours().encode([one])[0], ours().encode([one], attention=True)[0]
    assert plain.attention is None
    assert torch.equal(plain.features, asked.features)
    for a, b in zip(plain.deepstack, asked.deepstack, strict=True):
        assert torch.equal(a, b)
