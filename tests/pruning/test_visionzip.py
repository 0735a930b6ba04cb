"""VisionZip against a plain statement of it, step by step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pruning.visionzip import VisionZip
from tests.pruning.scenes import M, looks, stream, tokens


def plain(step: np.ndarray, attention: np.ndarray, count: int, doubled: bool, share: float):
    """Place to feature of what is kept of one step, in float64."""
    dominant = sorted(np.argsort(-attention, kind="stable")[: max(round(share * count), 1)])
    kept = {place: step[place] for place in dominant}
    rest = [place for place in range(len(step)) if place not in kept]
    few = count - len(dominant)
    targets = [rest[i * (len(rest) // few)] for i in range(few)]
    unit = step / np.linalg.norm(step, axis=1, keepdims=True)
    came = {target: [] for target in targets}
    for place in rest:
        if targets and place not in came:
            came[max(targets, key=lambda t: unit[t] @ unit[place])].append(step[place])
    for target, others in came.items():
        kept[target] = step[target]
        if others:
            summed = step[target] + np.mean(others, axis=0)
            kept[target] = summed if doubled else summed / 2
    return kept


@pytest.mark.parametrize("doubled", [False, True])
@pytest.mark.parametrize(("budget", "share"), [(3, 54 / 64), (8, 54 / 64), (12, 0.5), (19, 0.0)])
def test_what_is_kept_equals_a_plain_statement(doubled, budget, share):
    features, attention = stream(4, 3), looks(3, seed=7)
    shown = tokens(features, attention=attention)
    rows, _, merge = VisionZip(share, doubled).keep(shown, 3 * budget, None)
    pruned = shown.select(rows, merge)
    for step in range(3):
        expected = plain(
            features[step].double().numpy(), attention[step].numpy(), budget, doubled, share
        )
        here = pruned.step == step
        assert (pruned.index[here] - step * M).tolist() == sorted(expected)
        wanted = np.stack([expected[place] for place in sorted(expected)])
        assert pruned.features[here].double().numpy() == pytest.approx(wanted, abs=1e-5)


def test_dominant_tokens_are_54_of_64():
    attention = torch.rand(1, 256, generator=torch.Generator().manual_seed(0))
    shown = tokens(stream(0, 1, 16, 16), 16, 16, attention)
    rows = VisionZip().keep(shown, 64, None).rows.tolist()
    order = attention[0].argsort(descending=True).tolist()
    assert set(order[:54]) <= set(rows)
    rest = sorted(order[54:])
    assert sorted(set(rows) - set(order[:54])) == rest[: 10 * 20 : 20], "202 left: stride 20"


def test_a_target_to_which_nothing_comes_stays_as_it_is():
    features = torch.eye(4)[None]
    shown = tokens(features, 1, 4, torch.tensor([[0.7, 0.1, 0.1, 0.1]]))
    rows, _, merge = VisionZip(dominant=0.25).keep(shown, 3, None)
    assert rows.tolist() == [0, 1, 2], "token 3 is like neither: it goes to the first"
    pruned = shown.select(rows, merge)
    assert torch.equal(pruned.features[2], features[0, 2])
    assert torch.equal(pruned.features[1], (features[0, 1] + features[0, 3]) / 2)


def test_a_share_out_of_range_is_refused():
    with pytest.raises(ValueError, match="dominant"):
        VisionZip(dominant=1.5)
