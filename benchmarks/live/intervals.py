"""How sure a figure is: 95% intervals of a median and of a share."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Final

import numpy as np

_DRAWS: Final = 5000
_Z: Final = 1.959963984540054  # of a 95% interval

Interval = tuple[float, float]


def median_interval(values: Sequence[float], seed: int = 0) -> Interval:
    """Bootstrap interval of the median: those of resamples, without the outer 2.5% at each end.

    Args:
        values: one at least, drawn independently of each other.
        seed: of the resamples.
    """
    measured = np.asarray(values, np.float64)
    drawn = np.random.default_rng(seed).choice(measured, (_DRAWS, len(measured)))
    low, high = np.percentile(np.median(drawn, axis=1), (2.5, 97.5))
    return float(low), float(high)


def share_interval(found: int, of: int) -> Interval:
    """Wilson's interval of a share, as if each were found by itself; of none it is 0 to 1."""
    if of == 0:
        return 0.0, 1.0
    value = found / of
    middle = value + _Z**2 / (2 * of)
    spread = _Z * sqrt(value * (1 - value) / of + (_Z / (2 * of)) ** 2)
    scale = 1 + _Z**2 / of
    # Rounding may leave the bounds a hair beside the share itself where it is 0 or 1.
    low, high = (middle - spread) / scale, (middle + spread) / scale
    return max(0.0, min(low, value)), min(1.0, max(high, value))
