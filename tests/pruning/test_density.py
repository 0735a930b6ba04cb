"""Density peaks against a plain statement of the formula and clusters known beforehand."""

from __future__ import annotations

import math

import pytest
import torch

from pruning.density import centres, nearest


def plain(points: list[list[float]], count: int) -> list[int]:
    """The formula, pair by pair."""
    n, d = len(points), len(points[0])
    apart = [[math.dist(a, b) / math.sqrt(d) for b in points] for a in points]
    k = min(7, count)
    density = [math.exp(-sum(x * x for x in sorted(row)[:k]) / k) for row in apart]
    scores = []
    for i in range(n):
        denser = [j for j in range(n) if (density[j], -j) > (density[i], -i)]
        delta = min((apart[i][j] for j in denser), default=max(map(max, apart)))
        scores.append(density[i] * delta)
    return sorted(sorted(range(n), key=lambda i: (-scores[i], i))[:count])


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("count", [2, 5, 9])
def test_centres_equal_a_plain_statement(seed, count):
    points = torch.randn(24, 6, generator=torch.Generator().manual_seed(seed))
    assert centres(points, count).tolist() == plain(points.double().tolist(), count)


def test_well_separated_clusters_get_one_centre_each():
    generator = torch.Generator().manual_seed(0)
    middles = 20 * torch.eye(4, 8)
    points = (middles[:, None] + 0.3 * torch.randn(4, 10, 8, generator=generator)).flatten(0, 1)
    chosen = centres(points, 4)
    assert (chosen // 10).tolist() == [0, 1, 2, 3]
    assert torch.equal(nearest(points, chosen), torch.arange(4).repeat_interleave(10))


def test_equal_tokens_are_told_apart_by_their_row():
    assert centres(torch.ones(6, 3), 2).tolist() == [0, 1]
    assert centres(torch.ones(1, 3), 1).tolist() == [0]
    assert nearest(torch.ones(3, 2), torch.tensor([0, 2])).tolist() == [0, 0, 1]
