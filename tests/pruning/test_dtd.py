"""DTD against its closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pruning.dtd import DTD, DTDFixed
from pruning.similarity import Last
from tests.pruning.scenes import M, stream, tokens


def cosines(features: torch.Tensor) -> np.ndarray:
    """With the token before in the same place, [t - 1, m], in float64."""
    unit = features.double().numpy()
    unit = unit / np.linalg.norm(unit, axis=-1, keepdims=True)
    return (unit[1:] * unit[:-1]).sum(-1)


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.9])
def test_a_token_is_kept_if_and_only_if_its_cosine_is_not_above_the_threshold(threshold):
    features = stream(1, 20)
    rows = DTD(threshold).keep(tokens(features), 20, Last()).rows.tolist()
    expected = list(range(M))  # the first step, whole
    for step, row in enumerate(cosines(features), start=1):
        keep = np.nonzero(row <= threshold)[0].tolist() or [int(row.argmin())]
        expected += [step * M + place for place in keep]
    assert rows == expected
    assert len(rows) < 20 * M


def test_slow_drift_is_never_caught():
    """The reference is the step before, whole, not what was last kept: as published."""
    angle = torch.arange(40)[:, None] * math.radians(20) + torch.zeros(M)
    features = torch.stack([angle.cos(), angle.sin()], dim=-1)
    rows = DTD(0.9).keep(tokens(features), 40, Last()).rows
    assert (rows // M).bincount().tolist() == [M] + [1] * 39


def test_the_fixed_mode_keeps_the_least_similar_of_every_step():
    features = stream(2, 8)
    rows = DTDFixed().keep(tokens(features), 40, Last()).rows.numpy()
    for step, row in enumerate(cosines(features), start=1):
        kept = row[rows[rows // M == step] - step * M]
        assert np.sort(kept) == pytest.approx(np.sort(row)[:5], abs=1e-6)
    assert rows[:5].tolist() == [2, 6, 10, 14, 18], "the first step is spread evenly"


def test_a_threshold_that_is_no_cosine_is_refused():
    with pytest.raises(ValueError, match="threshold"):
        DTD(threshold=1.5)
