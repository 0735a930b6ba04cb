"""FlashVID against its greedy choice pair by pair, and trees worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pruning.flashvid import FlashVID, plant
from tests.pruning.scenes import M, looks, stream, tokens


def plain(scene: np.ndarray, attention: np.ndarray, step: int, count: int, relevance: bool):
    """Places of one step by max-min over 1 - cosine, weighted, in float64."""
    unit = scene[step] / np.linalg.norm(scene[step], axis=1, keepdims=True)
    weights = attention[step].copy()
    if relevance:
        weights *= np.maximum((scene[step] @ scene.mean(axis=1).T).mean(axis=1), 0)
    apart = 1 - unit @ unit.T
    chosen = [int(np.argmax([sorted(apart[i])[1] * weights[i] for i in range(len(unit))]))]
    while len(chosen) < count:
        scores = apart[chosen].min(axis=0) * weights
        scores[chosen] = -1
        chosen.append(int(np.argmax(scores)))
    return sorted(chosen)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("relevance", [True, False])
@pytest.mark.parametrize(("budget", "first"), [(2, 2), (3, 3), (6, 5), (10, 7)])
def test_diverse_attended_tokens_are_chosen_greedily(seed, relevance, budget, first):
    generator = torch.Generator().manual_seed(seed)
    features = 1 + torch.randn(3, M, 16, generator=generator)
    attention = torch.rand(3, M, generator=generator)
    policy = FlashVID(relevance=relevance)
    rows = policy.keep(tokens(features, attention=attention), 3 * budget, None).rows
    scene = features.double().numpy()
    for step in range(3):
        wanted = plain(scene, attention.double().numpy(), step, first, relevance)
        assert first == math.ceil(0.7 * budget)
        assert set(wanted) <= set((rows[rows // M == step] - step * M).tolist())


def test_a_chain_becomes_the_mean_of_all_its_tokens_where_it_began():
    """Place 0 moves to 1 and then to 2, changing a little; the others are new in every step."""
    generator = torch.Generator().manual_seed(0)
    scene = torch.randn(3, 4, 32, generator=generator)
    object_ = 3 * torch.randn(32, generator=generator)
    for step in range(3):
        scene[step, step] = object_ + 0.3 * torch.randn(32, generator=generator)
    free = torch.ones(3, 4, dtype=torch.bool)
    roots = plant(scene, free, 0.8, most=12)
    assert [int(roots[step, step]) for step in range(3)] == [0, 0, 0]
    others = [(s, p) for s in range(3) for p in range(4) if s != p]
    assert all(int(roots[s, p]) == s * 4 + p for s, p in others)
    anchors, flow = FlashVID().trees(scene, free, 10)
    assert sorted(anchors.tolist()) == [0, 1, 2, 3, 4, 6, 7, 8, 9, 11]
    into = flow.anchor == 0
    assert flow.source[into].tolist() == [0, 5, 10]
    assert torch.allclose(flow.weight[into], torch.full((3,), 1 / 3))


def test_the_weakest_links_are_not_made_if_too_few_trees_would_be_left():
    unit = torch.eye(4)
    change = torch.tensor([0.3, 0.1, 0.0, 0.2])[:, None]
    changed = torch.nn.functional.normalize(unit + change, dim=1)
    scene = torch.stack([unit, changed])
    free = torch.ones(2, 4, dtype=torch.bool)
    alike = (unit * changed).sum(dim=1)
    assert alike.argsort(descending=True).tolist() == [2, 1, 3, 0]
    assert plant(scene, free, 0.8, most=2)[1].tolist() == [4, 1, 2, 7]
    assert plant(scene, free, float(alike[1]) - 1e-4, most=8)[1].tolist() == [4, 1, 2, 7]
    free[0, 2] = False
    assert plant(scene, free, 0.8, most=2)[1].tolist() == [4, 1, 6, 3], "2 is no partner any more"
    free[1, 1] = False
    assert plant(scene, free, 0.8, most=1)[1].tolist() == [4, 5, 6, 3], "and 5 does not link"


@pytest.mark.parametrize("seed", range(5))
def test_a_token_flows_into_one_at_most_and_what_is_chosen_stays_as_it_is(seed):
    features, attention = stream(seed, 6), looks(6)
    shown = tokens(features, attention=attention)
    rows, _, merge = FlashVID().keep(shown, 6 * 8, None)
    assert merge is not None
    assert len(set(merge.source.tolist())) == len(merge.source)
    target = torch.zeros(len(rows)).index_add_(0, merge.target, merge.weight)
    touched = target > 0
    assert torch.allclose(target[touched], torch.ones(int(touched.sum())))
    chosen = (~touched).long()
    assert chosen.sum() == 6 * math.ceil(0.7 * 8)


def test_roots_are_shared_out_by_largest_remainder():
    """12 free tokens a step, all new: 3 steps of 12 roots, 7 wanted, so 3, 2 and 2."""
    generator = torch.Generator().manual_seed(1)
    scene = torch.randn(3, 12, 64, generator=generator)
    free = torch.ones(3, 12, dtype=torch.bool)
    anchors, _ = FlashVID().trees(scene, free, 7)
    assert (anchors // 12).bincount().tolist() == [3, 2, 2]


def test_nothing_links_across_a_cut():
    features = torch.cat([stream(1, 2), -stream(2, 2) - 3])
    shown = tokens(features, attention=looks(4))
    rows, _, merge = FlashVID().keep(shown, 4 * 8, None)
    assert merge is not None
    for source, target in zip(merge.source.tolist(), rows[merge.target].tolist(), strict=True):
        assert (source < 2 * M) == (target < 2 * M)


def test_a_share_out_of_range_is_refused():
    with pytest.raises(ValueError, match="alpha"):
        FlashVID(alpha=0.0)
