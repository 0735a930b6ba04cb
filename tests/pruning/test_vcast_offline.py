"""Offline V-CAST against a plain float64 statement of the published method."""

from __future__ import annotations

import numpy as np
import pytest

from pruning.vcast_offline import VCastOffline, allocate
from tests.pruning.scenes import stream, tokens


@pytest.mark.parametrize(
    ("weights", "budget", "cap", "expected"),
    [
        ([1 / 7] * 7, 100, 1000, [16, 14, 14, 14, 14, 14, 14]),  # one step takes all that is left
        ([0.9, 0.05, 0.05], 100, 64, [64, 31, 5]),  # until it is full, then the next one
        ([0.5, 0.5], 2, 10, [1, 1]),  # nothing beyond the floor
        ([0.5, 0.5], 20, 10, [10, 10]),  # everything
        ([1.0], 7, 10, [7]),
    ],
)
def test_budgets_of_the_published_loop(weights, budget, cap, expected):
    assert allocate(weights, budget, cap) == expected


def plain(features: np.ndarray, budget: int) -> tuple[list[int], np.ndarray]:
    """Tokens per step and scores [t, m], from the formulas, one step at a time."""
    t, m, _ = features.shape
    x = features.mean(1)
    x /= np.linalg.norm(x, axis=-1, keepdims=True)
    bend = np.ones(t)
    for i in range(1, t - 1):
        a, b = x[i] - x[i - 1], x[i + 1] - x[i]
        bend[i] = 1 - a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-6)
    weights = np.exp(bend / 0.7) / np.exp(bend / 0.7).sum()
    raw = weights * (budget - t)
    counts = [1 + min(int(np.floor(r)), m - 1) for r in raw]
    while sum(counts) < budget:
        open_steps = [i for i in range(t) if counts[i] < m]
        counts[max(open_steps, key=lambda i: (raw[i] - np.floor(raw[i]), -i))] += 1
    norms = np.linalg.norm(features, axis=-1)
    cosines = np.einsum("tmd,td->tm", features, x) / np.maximum(norms, 1e-6)
    spread = norms.max(1, keepdims=True) - norms.min(1, keepdims=True) + 1e-6
    return counts, 1 - cosines + (norms - norms.min(1, keepdims=True)) / spread


@pytest.mark.parametrize("seed", range(20))
def test_budgets_and_scores_at_the_cut_equal_a_plain_statement(seed):
    features = stream(seed, 9)
    counts, scores = plain(features.double().numpy(), 45)
    rows = VCastOffline().keep(tokens(features), 45, None).rows.numpy()
    for step in range(9):
        kept = rows[rows // 20 == step] - 20 * step
        assert len(kept) == counts[step]
        best = np.sort(scores[step])[::-1][: counts[step]]
        assert np.sort(scores[step, kept])[::-1] == pytest.approx(best, abs=1e-5)


def test_a_still_video_is_pruned_evenly():
    features = stream(0, 1).expand(7, -1, -1)
    rows = VCastOffline().keep(tokens(features), 28, None).rows
    assert (rows // 20).bincount().tolist() == [4] * 7


def test_a_temperature_that_is_none_is_refused():
    with pytest.raises(ValueError, match="temperature"):
        VCastOffline(temperature=0.0)
