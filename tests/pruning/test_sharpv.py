"""SharpV against its closed form and the values its specification works out."""

from __future__ import annotations

import math

import pytest
import torch

from pruning.sharpv import SharpV, SharpVFixed, SharpVManual, measure
from pruning.similarity import Last
from tests.pruning.scenes import stream, tokens


def turning(cosine: float, places: int = 1000) -> torch.Tensor:
    """Two steps of tokens in a plane, each turned so that its cosine with itself is given."""
    angles = torch.rand(places, generator=torch.Generator().manual_seed(0)) * 6
    both = torch.stack([angles, angles + math.acos(cosine)])
    return torch.stack([both.cos(), both.sin()], dim=-1)


@pytest.mark.parametrize(
    ("cosine", "kept"), [(0.97, 123), (0.95, 159), (0.99, 71), (0.90, 224), (1.0, 1)]
)
def test_the_share_kept_at_known_cosines_of_neighbours(cosine, kept):
    """12.2%, 15.8%, 7.1% and 22.4% of 1000; a still step keeps its floor of one."""
    features = turning(cosine)
    state = SharpV().keep(tokens(features[:1], 1, 1000), 1000, Last()).state
    assert len(SharpV().keep(tokens(features[1:], 1, 1000), 1000, state).rows) == kept


def test_independent_noise_keeps_seventy_percent_and_most_bounds_it():
    features = torch.randn(3, 400, 512, generator=torch.Generator().manual_seed(1))
    rows = SharpV().keep(tokens(features, 20, 20), 30, Last()).rows
    counts = (rows // 400).bincount()[1:] / 400
    assert counts.tolist() == pytest.approx([0.71, 0.71], abs=0.01)
    rows = SharpV(most=0.25).keep(tokens(features, 20, 20), 30, Last()).rows
    assert (rows // 400).bincount().tolist() == [100, 100, 100]


def test_importance_and_share_of_a_worked_example():
    """Before (1, 0), (1, 0); now (1, 0), (0, 1): mean along (1, 1), at cosine .7071 to both."""
    features = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    apart = math.sqrt(2 - 2 * math.sqrt(0.5))  # .7654
    importance, share = measure(features, Last(torch.tensor([[1.0, 0.0], [1.0, 0.0]])), 1.0)
    assert importance[0].tolist() == pytest.approx([apart, math.sqrt(2) + apart])
    assert share.tolist() == pytest.approx([0.5])  # |(0, sqrt 2)| / (2 sqrt 2)
    importance, share = measure(features, Last(), 1.0)  # as the first step of a stream
    assert importance[0].tolist() == pytest.approx([apart, apart])
    assert share.tolist() == pytest.approx([apart / 2])
    doubled, _ = measure(features, Last(), 2.0)
    assert torch.allclose(doubled, 2 * importance)


def test_manual_mode_is_the_literal_cut():
    features = stream(3, 12)
    importance, _ = measure(features, Last(), 1.0)
    rows = SharpVManual().keep(tokens(features), 12, Last()).rows
    for step in range(12):
        above = (importance[step] > 1.6).nonzero()[:, 0].tolist()
        kept = [row - 20 * step for row in rows.tolist() if row // 20 == step]
        assert kept == (above or [int(importance[step].argmax())])


def test_fixed_mode_keeps_the_most_important_of_every_step():
    features = stream(4, 5)
    importance, _ = measure(features, Last(), 1.0)
    rows = SharpVFixed().keep(tokens(features), 20, Last()).rows.tolist()
    for step in range(5):
        best = sorted(importance[step].tolist(), reverse=True)[:4]
        kept = [float(importance[step, row % 20]) for row in rows if row // 20 == step]
        assert sorted(kept, reverse=True) == best


@pytest.mark.parametrize("most", [0.0, 1.5])
def test_a_bound_that_is_no_share_is_refused(most):
    with pytest.raises(ValueError, match="most"):
        SharpV(most=most)
