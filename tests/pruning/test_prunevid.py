"""PruneVID's first stage against worked windows and merges."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pruning.prunevid import Emitted, PruneVID, contiguous, togetherness
from tests.pruning.running import run
from tests.pruning.scenes import M, looks, stream, tokens


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([0, 0, 1, 1], [0, 0, 1, 1]),
        ([0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0]),  # 1 is removed, the first run is shorter
        ([0, 0, 1, 2, 2], [0, 0, 0, 2, 2]),  # both neighbours as long: to the left
        ([0, 0, 1, 2, 2, 2], [0, 0, 2, 2, 2, 2]),  # to the longer
        ([1, 0, 0, 0], [0, 0, 0, 0]),  # no left neighbour
        ([0, 0, 0, 1], [0, 0, 0, 0]),  # no right one
        ([0, 0, 0, 1, 1, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0, 0, 1, 1, 1]),  # shorter runs go
        ([0, 1, 0, 1], [0, 0, 0, 0]),  # nothing stays
        ([3], [0]),
    ],
)
def test_labels_become_windows(labels, expected):
    assert contiguous(labels) == expected


@pytest.mark.parametrize("steps", [2, 3, 7])
def test_places_stand_by_the_mean_over_all_pairs(steps):
    window = torch.randn(steps, M, 8, generator=torch.Generator().manual_seed(steps))
    unit = window.double().numpy()
    unit /= np.linalg.norm(unit, axis=-1, keepdims=True)
    pairs = [(u, v) for u in range(steps) for v in range(steps) if u != v]
    expected = np.mean([(unit[u] * unit[v]).sum(-1) for u, v in pairs], axis=0)
    assert togetherness(window).double().numpy() == pytest.approx(expected, abs=1e-6)


def test_a_step_alone_has_nothing_that_stands():
    assert (togetherness(torch.ones(1, 3, 2)) == -1).all()


def keep(features: torch.Tensor, h: int, w: int, state=None):
    shown = tokens(features, h, w)
    rows, after, merge = PruneVID().keep(shown, len(features), state or Emitted())
    return rows, after, shown.select(rows, merge)


def test_what_stands_becomes_its_mean_at_the_windows_first_step():
    """Two steps, four places: 0 and 1 stand, 2 and 3 change; few enough not to be clustered."""
    first = torch.tensor([[4.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0]])
    second = torch.tensor([[4.0, 0.4, 0.0], [0.0, 2.2, 0.1], [1.0, 0.0, 0.0], [-1.0, 1.0, 1.0]])
    rows, _, pruned = keep(torch.stack([first, second]), 1, 4)
    assert rows.tolist() == [0, 1, 2, 3, 6, 7]
    assert torch.allclose(pruned.features[:2], (first[:2] + second[:2]) / 2)
    assert torch.equal(pruned.features[2:], torch.cat([first[2:], second[2:]]))


@pytest.mark.parametrize(("places", "kept"), [(14, 14), (15, 7), (16, 8), (40, 20)])
def test_more_than_14_places_are_clustered_to_half(places, kept):
    features = torch.randn(1, places, 32, generator=torch.Generator().manual_seed(3))
    rows, _, _ = keep(features, 1, places)
    assert len(rows) == kept


def test_a_cluster_becomes_its_mean():
    """Sixteen standing places of two crowds of eight; of eight peaks, crowds of equal tokens."""
    generator = torch.Generator().manual_seed(4)
    middles = 20 * torch.eye(8, 16)
    crowds = middles.repeat_interleave(2, dim=0) + 0.1 * torch.randn(3, 16, 16, generator=generator)
    rows, _, pruned = keep(crowds, 4, 4)
    first = rows < 16
    assert (rows[first] // 2).tolist() == list(range(8)), "one of each pair"
    expected = crowds.reshape(3, 8, 2, 16).mean(dim=(0, 2))
    assert torch.allclose(pruned.features[first], expected, atol=1e-4)
    assert pruned.step[~first].tolist() == [1, 2], "then only what keeps a step from being empty"


def test_windows_are_found_among_sixteen_steps():
    """Four scenes of four steps: four clusters, each place stands once in each."""
    scenes = torch.cat([stream(seed, 1).expand(4, -1, -1) for seed in range(4)])
    rows, _, pruned = keep(scenes + 1e-4 * stream(9, 16), 4, 5)
    per_step = pruned.step.bincount(minlength=16).tolist()
    assert per_step == [M // 2, 1, 1, 1] * 4
    assert len(rows) == 4 * (M // 2 + 3)


def test_what_still_stands_in_the_next_segment_is_not_given_again():
    features = stream(0, 1).expand(6, -1, -1).contiguous()
    kept = run(PruneVID(), features, 10, [2, 2, 2], looks(6)).step.bincount(minlength=6)
    assert kept.tolist() == [M // 2, 1, 1, 1, 1, 1]
    features[4:] = stream(50, 1)
    kept = run(PruneVID(), features, 10, [2, 2, 2], looks(6)).step.bincount(minlength=6)
    assert kept.tolist() == [M // 2, 1, 1, 1, M // 2, 1], "a new scene is"


def test_slow_change_is_given_again_once_it_is_far_from_what_was_given():
    angle = torch.arange(40)[:, None] * 0.1 + torch.zeros(M)  # cos .8 is passed after 7 steps
    features = torch.stack([angle.cos(), angle.sin()], dim=-1)
    kept = run(PruneVID(), features, 20, [1] * 40, looks(40)).step.bincount(minlength=40)
    assert (kept > 1).nonzero()[:, 0].tolist() == [0, 7, 14, 21, 28, 35]


@pytest.mark.parametrize("wrong", [{"windows": 0.0}, {"spatial": 1.1}])
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PruneVID(**wrong)
