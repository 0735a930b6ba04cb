"""LongVLM's merging against a plain statement of bipartite soft matching."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pruning.longvlm import LongVLM
from tests.pruning.scenes import M, stream, tokens


def metric(mean: np.ndarray, groups: int) -> np.ndarray:
    pooled = mean.reshape(groups, -1).mean(axis=0)
    return pooled / np.linalg.norm(pooled)


def plain(features: torch.Tensor, budget: int, groups: int) -> tuple[dict, list[int]]:
    """Members of every merged token by its anchor, and how many tokens each round left."""
    steps, m, _ = features.shape
    flat = features.double().numpy().reshape(steps * m, -1)
    stays = set()
    for step in range(steps):
        part = flat[step * m : (step + 1) * m]
        mean = part.mean(axis=0)
        alike = part @ mean / np.linalg.norm(part, axis=1) / np.linalg.norm(mean)
        stays.add(step * m + int(alike.argmin()))
    found = {row: [row] for row in range(len(flat))}
    left = [len(found)]
    while len(found) > budget:
        anchors = sorted(found)
        free = [row for row in anchors if row not in stays]
        sources, targets = free[::2], sorted(set(anchors) - set(free[::2]))
        units = {row: metric(flat[found[row]].mean(axis=0), groups) for row in anchors}
        best = {s: max(targets, key=lambda t: units[t] @ units[s]) for s in sources}
        order = sorted(sources, key=lambda s: -(units[best[s]] @ units[s]))
        parts: dict[int, list[int]] = {}
        for source in order[: len(found) - budget]:
            parts.setdefault(best[source], []).append(source)
        for target, others in parts.items():
            whole = [target, *sorted(others)]
            sizes = {row: len(found[row]) for row in whole}
            anchor = target if target in stays else max(whole, key=lambda row: sizes[row])
            members = [row for part in whole for row in found[part]]
            for part in whole:
                del found[part]
            found[anchor] = members
        left.append(len(found))
    return found, left


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("steps", "budget", "groups"), [(1, 4, 4), (2, 9, 4), (3, 3, 2), (3, 50, 1)]
)
def test_merging_equals_a_plain_statement(seed, steps, budget, groups):
    features = torch.randn(steps, M, 16, generator=torch.Generator().manual_seed(seed))
    shown = tokens(features)
    rows, _, merge = LongVLM(groups).keep(shown, budget, None)
    pruned = shown.select(rows, merge)
    expected, _ = plain(features, budget, groups)
    assert rows.tolist() == sorted(expected)
    flat = features.double().numpy().reshape(steps * M, -1)
    means = np.stack([flat[expected[row]].mean(axis=0) for row in sorted(expected)])
    assert pruned.features.double().numpy() == pytest.approx(means, abs=1e-5)


def test_rounds_halve_until_the_budget_is_met():
    """The published list for 2560 tokens and 30, in small: 320, 160, 80, 40, 30."""
    features = torch.randn(1, 320, 16, generator=torch.Generator().manual_seed(0))
    found, left = plain(features, 30, 1)
    assert left == [320, 160, 80, 40, 30]
    assert LongVLM(1).keep(tokens(features, 16, 20), 30, None).rows.tolist() == sorted(found)


def test_nothing_is_lost_every_token_flows_into_one():
    shown = tokens(stream(3, 4))
    rows, _, merge = LongVLM().keep(shown, 11, None)
    assert merge is not None
    joined = merge.source.tolist()
    assert len(set(joined)) == len(joined)
    alone = set(range(len(shown))) - set(joined)
    assert alone <= set(rows.tolist())
    assert torch.allclose(
        torch.zeros(11).index_add_(0, merge.target, merge.weight)[merge.target.unique()],
        torch.ones(len(merge.target.unique())),
    )


def test_separate_crowds_become_one_token_each():
    generator = torch.Generator().manual_seed(0)
    middles = 20 * torch.eye(4, 16)
    features = middles[:, None] + 0.3 * torch.randn(4, 16, 16, generator=generator)
    shown = tokens(features.reshape(1, 64, 16), 8, 8)
    rows, _, merge = LongVLM(groups=1).keep(shown, 4, None)
    assert (rows // 16).tolist() == [0, 1, 2, 3]
    assert torch.allclose(shown.select(rows, merge).features, features.mean(dim=1), atol=1e-4)


def test_the_odd_token_of_every_step_keeps_its_place():
    features = torch.ones(3, M, 16) + 0.01 * stream(0, 3)
    places = [4, 11, 0]
    for step, place in enumerate(places):
        features[step, place] = -1.0
    rows = LongVLM().keep(tokens(features), 3, None).rows
    assert (rows - torch.arange(3) * M).tolist() == places


def test_no_groups_at_all_are_refused():
    with pytest.raises(ValueError, match="groups"):
        LongVLM(groups=0)
