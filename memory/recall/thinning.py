"""Which moment of the past is missed least."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def least_missed(times: Sequence[float], among: Sequence[int]) -> int | None:
    """The moment whose neighbours are closest for its age; None if none may go.

    Not the oldest, while there are others that may go: it has a neighbour on one side only, so it
    would always be the one, and the past would end like a window's.

    Args:
        times: of all moments, rising; the last one is now.
        among: places in `times` of those that may go, rising; never the last.
    """
    inner = [place for place in among if place > 0]
    if not inner:
        return among[0] if among else None
    at = np.asarray(times, np.float64)
    places = np.asarray(inner)
    gaps = at[places + 1] - at[places - 1]
    return inner[int(np.argmin(gaps / np.maximum(at[-1] - at[places], 1e-9)))]
