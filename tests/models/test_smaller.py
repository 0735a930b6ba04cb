"""Pictures that are to be seen smaller than they are."""

from __future__ import annotations

import pytest
import torch

from models.preprocess import patchify
from tests.tiny import CELL, MERGE, PATCH, ours, segment


@pytest.mark.parametrize("size", [(48, 64), (90, 91), (64, 32)])
def test_a_picture_is_seen_at_the_size_that_is_asked_for_and_resized_once(size):
    """Right from its own pixels to what the model makes of that size."""
    one = segment(3, size=(128, 128))
    seen = ours().encode([one], size=size, pixels=True)[0]
    assert seen.grid.per_step == ours().step_tokens(*size) < ours().step_tokens(128, 128)
    target = seen.grid.h * CELL, seen.grid.w * CELL
    once, _ = patchify([f.pixels for f in one.frames], target, patch=PATCH, merge=MERGE)
    features, _ = ours()._see(once, torch.tensor([[1, target[0] // PATCH, target[1] // PATCH]]))
    assert torch.equal(seen.features, features[0])
    assert seen.times == ours().encode([one])[0].times


def test_without_a_size_pictures_are_seen_at_their_own():
    one = segment(3, size=(64, 64))
    assert torch.equal(
        ours().encode([one])[0].features, ours().encode([one], size=(64, 64))[0].features
    )
