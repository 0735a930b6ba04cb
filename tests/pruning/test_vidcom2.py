"""VidCom2 against its formula in float64, over a video and over a stream."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pruning.budget import WARM_UP
from pruning.vidcom2 import Channels, Common, VidCom2, VidCom2Offline
from tests.pruning.scenes import D, M, stream, tokens


def gauss(tokens: np.ndarray, centre: np.ndarray) -> np.ndarray:
    apart = ((tokens - centre) ** 2).sum(-1)
    return sum(np.exp(-apart / (2 * 2.0**k)) for k in range(-3, 2))


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@pytest.mark.parametrize("seed", range(6))
def test_a_video_is_kept_by_the_formula(seed):
    features = stream(seed, 8) + torch.linspace(0, 3, D)
    rows = VidCom2Offline().keep(tokens(features), 8 * 6, None).rows
    steps = features.double().numpy()
    channels = np.argsort(steps.reshape(-1, D).var(axis=0), kind="stable")[: D // 2]
    chosen = unit(steps[..., channels])
    video = gauss(chosen, chosen.mean(axis=(0, 1)))
    scores = video + gauss(chosen, chosen.mean(axis=1, keepdims=True))
    weights = np.exp(-(video.mean(axis=1) - video.mean(axis=1).min()) / 0.01)
    shares = 6 / M * (1 + weights / weights.sum() - 1 / 8)
    for step, share in enumerate(shares):
        kept = rows[rows // M == step].numpy() - step * M
        assert len(kept) == min(max(round(share * M), 1), M)
        assert np.sort(scores[step, kept]) == pytest.approx(
            np.sort(scores[step])[: len(kept)], abs=1e-5
        )


def test_steps_that_are_all_alike_get_the_same_and_a_strange_one_nearly_twice():
    alike = torch.ones(4, M, D) + 0.01 * stream(0, 1)
    rows = VidCom2Offline().keep(tokens(alike), 4 * 8, None).rows
    assert (rows // M).bincount().tolist() == [8] * 4
    strange = alike.clone()
    strange[2] = -strange[2]
    rows = VidCom2Offline().keep(tokens(strange), 4 * 8, None).rows
    assert (rows // M).bincount().tolist() == [6, 6, 14, 6], "8 * 3 / 4 and 8 * 7 / 4"


@pytest.mark.parametrize("seed", range(4))
def test_running_mean_and_variance_are_those_of_all_tokens_so_far(seed):
    features = stream(seed, 12) + torch.linspace(0, 3, D)
    channels = Channels()
    for step in features:
        channels = channels.then(step)
    every = unit(features.double().numpy()).reshape(-1, D)
    assert channels.mean is not None and channels.variance is not None
    assert channels.mean.numpy() == pytest.approx(every.mean(axis=0), abs=1e-6)
    assert channels.variance.numpy() == pytest.approx(every.var(axis=0), rel=1e-3, abs=1e-7)


def test_the_share_of_a_step_is_the_softmax_over_the_steps_so_far():
    scores = [4.0, 4.01, 3.99, 3.9, 4.2]
    common = Common()
    for count in range(1, len(scores) + 1):
        factor, common = common.weigh(scores[count - 1])
        weights = [math.exp(-(score - 4) / 0.01) for score in scores[:count]]
        assert factor == pytest.approx(1 + weights[-1] / sum(weights) - 1 / count, rel=1e-6)


def test_the_softmax_forgets():
    common = Common()
    for _ in range(20 * WARM_UP):
        factor, common = common.weigh(4.0)
    assert factor == pytest.approx(1.0)
    factor, _ = common.weigh(0.0)
    assert factor == pytest.approx(2 - 1 / WARM_UP), "a strange step gets nearly all there is"
    factor, _ = common.weigh(5.0)
    assert factor == pytest.approx(1 - 1 / WARM_UP)


@pytest.mark.parametrize("seed", range(4))
def test_a_stream_is_ranked_against_its_own_past(seed):
    """All tokens of this stream are as long in the quiet channels: the running mean is exact."""
    generator = torch.Generator().manual_seed(seed)
    quiet_half = torch.nn.functional.normalize(torch.randn(6, M, 8, generator=generator), dim=-1)
    loud = 30 * torch.nn.functional.normalize(torch.randn(6, M, 8, generator=generator), dim=-1)
    features = torch.cat([quiet_half, loud], dim=-1)
    rows = VidCom2().keep(tokens(features), 6 * 5, Common()).rows
    chosen = quiet_half.double().numpy()
    for step in range(6):
        video = gauss(chosen[step], chosen[: step + 1].mean(axis=(0, 1)))
        scores = video + gauss(chosen[step], chosen[step].mean(axis=0))
        kept = rows[rows // M == step].numpy() - step * M
        assert np.sort(scores[kept]) == pytest.approx(np.sort(scores)[: len(kept)], abs=1e-4)
