"""Quantiles of few numbers, without interpolation."""

from __future__ import annotations

import math
from collections.abc import Sequence


def quantile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that so large a share does not exceed; None: there are none."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def milliseconds(values: Sequence[float], share: float) -> float | None:
    """The quantile of seconds, in milliseconds."""
    found = quantile(values, share)
    return None if found is None else 1000 * found
