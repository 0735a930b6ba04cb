"""K-means by hand: the same clusters every time, one of its kind alone."""

from __future__ import annotations

import torch

from memory.policies.clusters import clusters, means, nearest


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values)[:, None]


def test_points_that_lie_together_are_one_cluster():
    points = column(0.0, 10.0, 0.1, 10.2, 0.05)
    assert clusters(points, torch.ones(5), 2).tolist() == [0, 1, 0, 1, 0]


def test_one_of_its_kind_is_a_cluster_of_its_own_however_many_the_others_are():
    points = column(*[0.0] * 20, 0.5, *[0.01] * 20)
    labels = clusters(points, torch.ones(41), 2)
    assert (labels == labels[20]).sum() == 1


def test_equal_points_make_one_cluster_however_many_are_allowed():
    assert clusters(column(3.0, 3.0, 3.0), torch.ones(3), 3).tolist() == [0, 0, 0]


def test_what_differs_by_rounding_only_is_equal_and_the_first_of_equals_is_nearest():
    points = column(3.0, 3.00001, 2.99999, 7.0)
    assert clusters(points, torch.ones(4), 4).tolist() == [0, 0, 0, 1]
    two = torch.tensor([[1.0, 1e-6], [-1.0, 0.0]])
    assert nearest(two, torch.ones(2), torch.tensor([0, 0])).tolist() == [0]
    assert nearest(two.flip(0), torch.ones(2), torch.tensor([0, 0])).tolist() == [0]


def test_a_heavy_point_draws_the_middle_to_it():
    points, weights, labels = column(0.0, 1.0, 9.0), torch.tensor([1.0, 3.0, 1.0]), [0, 0, 1]
    middle = means(points, weights, torch.tensor(labels), 2)
    assert torch.equal(middle, column(0.75, 9.0))
    assert nearest(points, weights, torch.tensor(labels)).tolist() == [1, 2]
    assert nearest(points, 1 / weights, torch.tensor(labels)).tolist() == [0, 2]
