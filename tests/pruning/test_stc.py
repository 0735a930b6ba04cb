"""STC-Pruner against its formula in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pruning.gaussian import likeness, quiet
from pruning.stc import STC, WINDOW, History
from tests.pruning.scenes import D, M, stream, tokens


def gauss(tokens: np.ndarray, centre: np.ndarray) -> np.ndarray:
    apart = ((tokens - centre) ** 2).sum(-1)
    return sum(np.exp(-apart / (2 * 2.0**k)) for k in range(-3, 2))


def test_likeness_of_worked_distances():
    assert likeness(torch.zeros(1, 3), torch.zeros(3)).item() == 5
    two = likeness(torch.tensor([[1.0, 0]]), torch.tensor([0.0, 1])).item()  # |x - c|^2 = 2
    assert two == pytest.approx(sum(math.exp(-x) for x in (8, 4, 2, 1, 0.5)), abs=1e-6)


def test_quiet_channels_are_the_half_that_varies_least():
    assert quiet(torch.tensor([3.0, 1, 2, 0, 5])).tolist() == [1, 3]
    assert quiet(torch.ones(4)).tolist() == [0, 1]
    assert quiet(torch.ones(1)).tolist() == [0]


@pytest.mark.parametrize("seed", range(5))
def test_the_tokens_least_like_history_and_step_are_kept(seed):
    features = stream(seed, 9) + torch.linspace(0, 3, D)  # channels with means of their own
    rows = STC().keep(tokens(features), 9 * 6, History()).rows
    steps = features.double().numpy()
    for index, step in enumerate(steps):
        channels = sorted(np.argsort(step.var(axis=0), kind="stable")[: D // 2])
        unit = step[:, channels] / np.linalg.norm(step[:, channels], axis=1, keepdims=True)
        memory = steps[: index + 1].mean(axis=(0, 1))[channels]
        scores = gauss(unit, memory / np.linalg.norm(memory)) + gauss(unit, unit.mean(axis=0))
        kept = rows[rows // M == index].numpy() - index * M
        assert np.sort(scores[kept]) == pytest.approx(np.sort(scores)[:6], abs=1e-5)


def test_the_memory_is_the_mean_of_all_steps_and_then_forgets():
    history = History()
    for value in range(WINDOW):
        history = history.then(torch.full((3, 2), float(value)))
    assert history.mean is not None
    assert history.mean[0].item() == pytest.approx((WINDOW - 1) / 2, rel=1e-5)
    for _ in range(3 * WINDOW):
        history = history.then(torch.full((3, 2), 1000.0))
    assert history.mean is not None
    left = (1 - 1 / WINDOW) ** (3 * WINDOW)
    assert history.mean[0].item() == pytest.approx(
        1000 - left * (1000 - (WINDOW - 1) / 2), rel=1e-3
    )
