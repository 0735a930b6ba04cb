"""Quantiles are values that were measured."""

from __future__ import annotations

import pytest

from benchmarks.quantiles import milliseconds, quantile


@pytest.mark.parametrize(("share", "wanted"), [(0.5, 2.0), (0.95, 4.0), (0.25, 1.0), (0.0, 1.0)])
def test_a_quantile_is_one_of_the_values(share: float, wanted: float) -> None:
    assert quantile([4.0, 1.0, 3.0, 2.0], share) == wanted
    assert milliseconds([4.0, 1.0, 3.0, 2.0], share) == 1000 * wanted


def test_of_nothing_there_is_none() -> None:
    assert quantile([], 0.5) is None and milliseconds([], 0.5) is None
