"""First-of-2x2 against places counted by hand."""

from __future__ import annotations

import pytest
import torch

from pruning.first_of_2x2 import FirstOf2x2
from tests.pruning.scenes import tokens


@pytest.mark.parametrize(
    ("h", "w", "budget", "expected"),
    [
        (4, 6, 6, [0, 2, 4, 12, 14, 16]),  # a quarter: the upper left of every block
        (3, 5, 6, [0, 2, 4, 10, 12, 14]),  # blocks cut off by the border have one too
        (4, 6, 3, [2, 12, 16]),  # fewer: spread over those
        (4, 6, 8, [0, 2, 4, 9, 12, 14, 16, 21]),  # more: their diagonal neighbours follow
        (1, 4, 3, [0, 2, 3]),
    ],
)
def test_places_by_hand(h, w, budget, expected):
    rows, _, merge = FirstOf2x2().keep(tokens(torch.ones(1, h * w, 3), h, w), budget, None)
    assert rows.tolist() == expected
    assert merge is None
