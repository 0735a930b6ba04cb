"""One carrier per step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pruning.videoscan import VideoScan
from tests.pruning.scenes import M, stream, tokens


@pytest.mark.parametrize("budget", [5, 40, 100])
@pytest.mark.parametrize("seed", range(3))
def test_every_step_becomes_its_mean_whatever_the_budget(seed, budget):
    features = stream(seed, 5)
    shown = tokens(features)
    rows, _, merge = VideoScan().keep(shown, budget, None)
    pruned = shown.select(rows, merge)
    steps = features.double().numpy()
    assert pruned.step.tolist() == [0, 1, 2, 3, 4]
    assert pruned.features.double().numpy() == pytest.approx(steps.mean(axis=1), abs=1e-5)
    assert torch.allclose(pruned.deepstack[0][:, 0], torch.arange(5) * M + (M - 1) / 2 + 0.25)


def test_the_carrier_stands_where_the_token_most_like_the_mean_does():
    features = stream(1, 4)
    rows = VideoScan().keep(tokens(features), 4, None).rows
    for step, row in zip(features.double().numpy(), rows.tolist(), strict=True):
        mean = step.mean(axis=0)
        alike = (step @ mean) / np.linalg.norm(step, axis=1)
        assert row % M == int(alike.argmax())
