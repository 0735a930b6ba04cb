"""DyCoke's temporal merging against its closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pruning.dycoke import DyCoke, Window
from tests.pruning.scenes import M, stream, tokens


@pytest.mark.parametrize(("prune", "few"), [(0.7, 6), (0.5, 10), (0.9, 2), (1.0, 1), (0.0, M)])
def test_tokens_per_step_follow_the_window(prune, few):
    rows = DyCoke(prune).keep(tokens(stream(1, 10)), 10, Window()).rows
    assert (rows // M).bincount().tolist() == [M, few, few, few, M, few, few, few, M, few]


def test_at_the_default_under_half_is_retained():
    rows = DyCoke().keep(tokens(stream(1, 16)), 16, Window()).rows
    assert len(rows) / (16 * M) == 0.475  # (1 + 3 * .3) / 4


def test_odd_steps_look_at_the_step_before_and_the_third_at_the_first():
    features = stream(2, 8)
    unit = features.double().numpy()
    unit /= np.linalg.norm(unit, axis=-1, keepdims=True)
    rows = DyCoke().keep(tokens(features), 8, Window()).rows.numpy()
    for step, reference in {1: 0, 2: 0, 3: 2, 5: 4, 6: 4, 7: 6}.items():
        alike = (unit[step] * unit[reference]).sum(-1)
        kept = alike[rows[rows // M == step] - step * M]
        assert np.sort(kept) == pytest.approx(np.sort(alike)[:6], abs=1e-6)


def test_what_comes_back_in_the_third_step_is_dropped_there():
    """Place 4 shows something else in step 1 only: new there and in step 3, known in step 2."""
    features = torch.ones(4, M, 8) + 0.01 * stream(3, 4, d=8)
    features[1, 4] = features[3, 4] = -1.0
    rows = DyCoke(prune=0.95).keep(tokens(features), 4, Window()).rows.tolist()
    assert [4 in {r - step * M for r in rows if r // M == step} for step in range(4)] == [
        True, True, False, True,
    ]  # fmt: skip


def test_a_share_out_of_range_is_refused():
    with pytest.raises(ValueError, match="prune"):
        DyCoke(prune=1.2)
