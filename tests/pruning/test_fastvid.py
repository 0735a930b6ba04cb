"""FastVID against quotas worked out by hand and a plain statement of its merging."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pruning.fastvid import FastVID
from pruning.scenes import scenes
from tests.pruning.scenes import M, looks, stream, tokens


def peaks(points: np.ndarray, count: int) -> list[int]:
    """Density peaks with 4 neighbours, the formula pair by pair."""
    n, d = points.shape
    apart = [[math.dist(a, b) / math.sqrt(d) for b in points] for a in points]
    density = [math.exp(-sum(x * x for x in sorted(row)[:4]) / min(4, n)) for row in apart]
    scores = []
    for i in range(n):
        denser = [j for j in range(n) if (density[j], -j) > (density[i], -i)]
        scores.append(density[i] * min((apart[i][j] for j in denser), default=np.max(apart)))
    return sorted(sorted(range(n), key=lambda i: (-scores[i], i))[:count])


def plain(scene: np.ndarray, attention: np.ndarray, salient: list, context: list, beta: float):
    """(step, place) to feature of what is kept of one scene."""
    kept, left = {}, []
    for step, count in enumerate(salient):
        order = np.argsort(-attention[step], kind="stable")
        kept |= {(step, place): scene[step, place] for place in order[:count]}
        left += [(step, place) for place in sorted(order[count:])]
    for step, count in enumerate(context):
        if count:
            here = [place for at, place in left if at == step]
            centres = [here[i] for i in peaks(scene[step, here], count)]
            flowing = {centre: [] for centre in centres}
            for at, place in left:
                one = scene[at, place]
                alike = [scene[step, c] @ one / np.linalg.norm(scene[step, c]) for c in centres]
                flowing[centres[int(np.argmax(alike))]].append(one)
            for centre, others in flowing.items():
                w = max(1 / (len(others) + 1), beta)
                kept[step, centre] = w * scene[step, centre] + (1 - w) * np.mean(others, axis=0)
    return kept


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("beta", [0.6, 0.1])
@pytest.mark.parametrize(
    ("steps", "budget", "salient", "context"),
    [
        (1, 5, [3], [2]),
        (2, 6, [4, 4], [0, 4]),
        (4, 5, [3] * 4, [0, 0, 0, 8]),
        (5, 5, [3] * 5, [5, 0, 0, 0, 5]),
    ],
)
def test_a_scene_is_kept_by_the_formula(seed, beta, steps, budget, salient, context):
    generator = torch.Generator().manual_seed(seed)
    features = 2 + torch.randn(steps, M, 16, generator=generator)  # one scene: the means agree
    attention = torch.rand(steps, M, generator=generator)
    shown = tokens(features, attention=attention)
    rows, _, merge = FastVID(beta=beta).keep(shown, steps * budget, None)
    pruned = shown.select(rows, merge)
    expected = plain(features.double().numpy(), attention.numpy(), salient, context, beta)
    assert rows.tolist() == sorted(step * M + place for step, place in expected)
    wanted = np.stack([expected[divmod(row, M)] for row in rows.tolist()])
    assert pruned.features.double().numpy() == pytest.approx(wanted, abs=1e-4)


def test_quotas_of_a_scene_worked_out_by_hand():
    policy = FastVID()
    # 16 of 64 a step: 6 context each, one anchor step in 4 gets 24
    assert policy.quotas([16] * 4, 64) == ([10] * 4, [0, 0, 0, 24])
    # anchor steps are counted back from the last
    assert policy.quotas([10] * 6, 64) == ([6] * 6, [0, 12, 0, 0, 0, 12])
    assert policy.quotas([10], 64) == ([6], [4])
    # every step keeps a salient token
    assert policy.quotas([1] * 5, 64) == ([1] * 5, [0] * 5)
    # what does not fit into the anchor step goes back: 6 + 16 > 20, 6 + 14 fits
    assert policy.quotas([10] * 4, 20) == ([7, 7, 6, 6], [0, 0, 0, 14])
    for counts, cap in [([20] * 3, 20), ([19] * 7, 20), ([20, 19, 19], 20)]:
        salient, context = policy.quotas(counts, cap)
        assert sum(salient) + sum(context) == sum(counts)
        assert all(s + c <= cap for s, c in zip(salient, context, strict=True))


def test_a_scene_ends_where_the_mean_turns_away():
    angle = torch.tensor([0.0, 0.3, 0.6, 1.2, 1.3])  # cos .3 = .955, cos .6 = .825
    steps = torch.stack([angle.cos(), angle.sin()], dim=1)[:, None].expand(-1, 3, -1)
    assert scenes(steps, 0.9) == [(0, 3), (3, 5)]
    assert scenes(steps, 0.8) == [(0, 5)]
    assert scenes(steps[:1], 0.9) == [(0, 1)]


def test_nothing_flows_across_a_cut():
    features = torch.cat([stream(1, 2), -stream(2, 2) - 3])
    shown = tokens(features, attention=looks(4))
    _, _, merge = FastVID().keep(shown, 4 * 6, None)
    assert merge is not None
    kept = FastVID().keep(shown, 4 * 6, None).rows
    border = 2 * M
    for source, target in zip(merge.source.tolist(), kept[merge.target].tolist(), strict=True):
        assert (source < border) == (target < border)


@pytest.mark.parametrize("wrong", [{"context": 1.2}, {"beta": -0.1}])
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FastVID(**wrong)
