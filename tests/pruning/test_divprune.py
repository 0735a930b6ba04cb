"""DivPrune against the greedy rule written pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pruning.divprune import DivPrune, Recent
from pruning.maxmin import farthest
from tests.pruning.scenes import M, stream, tokens


def plain(points: torch.Tensor, count: int, known: torch.Tensor | None = None) -> list[int]:
    """Max-min over 1 - cosine in float64."""
    unit = points.double().numpy()
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    apart = 1 - unit @ unit.T
    chosen: list[int] = []
    if known is None:
        second = [sorted(apart[i])[1] for i in range(len(unit))]
        chosen.append(int(np.argmax(second)))
        nearest = apart[chosen[0]]
    else:
        old = known.double().numpy()
        nearest = (1 - unit @ (old / np.linalg.norm(old, axis=1, keepdims=True)).T).min(axis=1)
    while len(chosen) < count:
        free = [i for i in range(len(unit)) if i not in chosen]
        row = max(free, key=lambda i: nearest[i])
        chosen.append(row)
        nearest = np.minimum(nearest, apart[row])
    return sorted(chosen)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("count", [1, 2, 7, 19])
def test_a_step_alone_is_chosen_greedily(seed, count):
    features = torch.randn(1, M, 12, generator=torch.Generator().manual_seed(seed))
    rows = DivPrune().keep(tokens(features), count, Recent()).rows
    assert rows.tolist() == plain(features[0], count)


@pytest.mark.parametrize("seed", range(8))
def test_the_next_segment_starts_from_what_was_kept_last(seed):
    features = torch.randn(2, M, 12, generator=torch.Generator().manual_seed(seed))
    first = DivPrune().keep(tokens(features[:1]), 6, Recent())
    second = DivPrune().keep(tokens(features[1:]), 6, first.state).rows
    assert second.tolist() == plain(features[1], 6, features[0, first.rows])


def test_what_was_seen_gives_way_to_what_is_new():
    features = stream(0, 1).expand(2, -1, -1).clone()
    features[1, 7] = -features[1].mean(dim=0)
    state = DivPrune().keep(tokens(features[:1]), M, Recent()).state
    assert DivPrune().keep(tokens(features[1:]), 1, state).rows.tolist() == [7]


def test_every_step_gets_one_though_all_that_is_new_is_in_another():
    features = torch.ones(4, M, M)
    features[2] = torch.eye(M)
    rows = DivPrune().keep(tokens(features), 10, Recent()).rows
    assert (rows // M).bincount(minlength=4).tolist() == [1, 1, 7, 1]


def test_equal_tokens_are_never_chosen_twice():
    rows = DivPrune().keep(tokens(torch.ones(1, M, 4)), 10, Recent()).rows
    assert len(set(rows.tolist())) == 10


def test_weights_multiply_distances_and_none_comes_after_all_that_have_some():
    """Three orthogonal tokens and one opposite to the first."""
    points = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [-1, 0, 0]])
    # nearest neighbours are all at distance 1: the weights decide
    assert farthest(points, 1, weights=torch.tensor([1.0, 3, 2, 1])).tolist() == [1]
    # then 0: 1 * 1, 2: .9 * 1, 3: 1 * 1; 0 is the first of the best
    assert farthest(points, 2, weights=torch.tensor([1.0, 3, 0.9, 1])).tolist() == [0, 1]
    # then 3: 2 away from 0 but 1 from 1, so .95 * 1 against .9 * 1 of 2
    assert farthest(points, 3, weights=torch.tensor([1.0, 3, 0.9, 0.95])).tolist() == [0, 1, 3]
    assert farthest(points, 3, weights=torch.tensor([1.0, 3, 0.9, 0.6])).tolist() == [0, 1, 2]
    assert farthest(points, 2, weights=torch.tensor([-2.0, 1, -1, -3])).tolist() == [1, 2]


def test_at_most_one_step_of_kept_tokens_is_remembered():
    recent = Recent().then(torch.ones(3, 2), 5)
    assert recent.known is not None and recent.known.tolist() == [[1, 1]] * 3
    recent = recent.then(torch.full((4, 2), 2.0), 5)
    assert recent.known is not None and recent.known[:, 0].tolist() == [1, 2, 2, 2, 2]
