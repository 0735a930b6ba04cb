"""DTD against its closed form."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from core.tokens import VisualTokens
from pruning.dtd import DTD, DTDFixed, DTDPixels
from pruning.similarity import Last
from tests.pruning.scenes import M, stream, tokens


def cosines(features: torch.Tensor) -> np.ndarray:
    """With the token before in the same place, [t - 1, m], in float64."""
    unit = features.double().numpy()
    unit = unit / np.linalg.norm(unit, axis=-1, keepdims=True)
    return (unit[1:] * unit[:-1]).sum(-1)


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.9])
def test_a_token_is_kept_if_and_only_if_its_cosine_is_not_above_the_threshold(threshold):
    features = stream(1, 20)
    rows = DTD(threshold).keep(tokens(features), 20, Last()).rows.tolist()
    expected = list(range(M))  # the first step, whole
    for step, row in enumerate(cosines(features), start=1):
        keep = np.nonzero(row <= threshold)[0].tolist() or [int(row.argmin())]
        expected += [step * M + place for place in keep]
    assert rows == expected
    assert len(rows) < 20 * M


def test_slow_drift_is_never_caught():
    """The reference is the step before, whole, not what was last kept: as published."""
    angle = torch.arange(40)[:, None] * math.radians(20) + torch.zeros(M)
    features = torch.stack([angle.cos(), angle.sin()], dim=-1)
    rows = DTD(0.9).keep(tokens(features), 40, Last()).rows
    assert (rows // M).bincount().tolist() == [M] + [1] * 39


def test_the_fixed_mode_keeps_the_least_similar_of_every_step():
    features = stream(2, 8)
    rows = DTDFixed().keep(tokens(features), 40, Last()).rows.numpy()
    for step, row in enumerate(cosines(features), start=1):
        kept = row[rows[rows // M == step] - step * M]
        assert np.sort(kept) == pytest.approx(np.sort(row)[:5], abs=1e-6)
    assert rows[:5].tolist() == [2, 6, 10, 14, 18], "the first step is spread evenly"


def test_a_threshold_that_is_no_cosine_is_refused():
    with pytest.raises(ValueError, match="threshold"):
        DTD(threshold=1.5)


def pictured(frames: torch.Tensor) -> VisualTokens:
    """Tokens over pixels, uint8 [t, M, 2, p]; their features are all the same."""
    steps = len(frames)
    return replace(tokens(torch.ones(steps, M, 4)), pixels=frames.flatten(0, 1))


def rgb(seed: int, steps: int) -> torch.Tensor:
    """Pictures that change a little from frame to frame, more at some places; [steps, M, 2, 12]."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.randint(0, 256, (M, 12), generator=generator).float()
    reach = torch.linspace(0, 60, M)[:, None]
    moves = torch.randn(2 * steps, M, 12, generator=generator) * reach
    frames = (first + moves.cumsum(dim=0)).clamp(0, 255).round().to(torch.uint8)
    return frames.reshape(steps, 2, M, 12).transpose(1, 2).contiguous()


@pytest.mark.parametrize("threshold", [0.0501, 0.1001, 0.1501])  # which no mean of 12 meets
def test_pixels_last_frame_is_compared_with_the_first_frame_of_the_step_before(threshold):
    frames = rgb(3, 12)
    shown = frames.double().numpy() / 255
    expected = list(range(M))  # the first step, whole
    for step in range(1, 12):
        changed = np.abs(shown[step, :, 1] - shown[step - 1, :, 0]).mean(axis=-1)
        keep = np.nonzero(changed >= threshold)[0].tolist() or [int(changed.argmax())]
        expected += [step * M + place for place in keep]
    policy = DTDPixels(threshold)
    assert policy.keep(pictured(frames), 12, policy.start()).rows.tolist() == expected
    assert M + 11 < len(expected) < 12 * M


def test_a_worked_change_of_pixels():
    """From grey 100 to 126 is 26 / 255 = .102, to 125 .098; what flashes in between is not met."""
    frames = torch.full((2, M, 2, 12), 100, dtype=torch.uint8)
    frames[1, 4, 1], frames[1, 9, 1], frames[1, 13, 0] = 126, 125, 250
    policy = DTDPixels()
    rows = policy.keep(pictured(frames), 2, policy.start()).rows.tolist()
    assert rows == [*range(M), M + 4]
    # the next segment meets the first frame of the last step, in which place 13 was bright
    again = policy.keep(pictured(frames), 2, policy.start())
    later = torch.full((1, M, 2, 12), 100, dtype=torch.uint8)
    assert policy.keep(pictured(later), 1, again.state).rows.tolist() == [13]


def test_darker_counts_as_brighter_does():
    frames = torch.full((2, M, 2, 12), 200, dtype=torch.uint8)
    frames[1, 5] = 10
    policy = DTDPixels()
    assert policy.keep(pictured(frames), 2, policy.start()).rows.tolist() == [*range(M), M + 5]


def test_a_threshold_that_is_no_difference_is_refused():
    with pytest.raises(ValueError, match="threshold"):
        DTDPixels(threshold=-0.1)
