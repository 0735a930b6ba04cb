"""HoliTom's segmentation: the windows whose standing tokens save most when merged over time."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Windows(NamedTuple):
    """Consecutive windows that cover all steps."""

    bounds: list[tuple[int, int]]  # [start, stop) of each
    saved: int  # tokens that merging each window's standing places into one step removes


def segment(alike: Tensor, steps: int) -> Windows:
    """The windows that save most, by dynamic programming, exactly.

    A window of w steps saves (w - 1) tokens for every place that stands through all of it. Of equal
    savings the shorter last window is taken.

    Args:
        alike: bool [steps - 1, m], whether a place shows the same in the step after.
        steps: how many there are.
    """
    best, length = [0], [0]
    for stop in range(1, steps + 1):
        saved, chosen = best[stop - 1], 1
        standing = None
        for size in range(2, stop + 1):
            pair = alike[stop - size]
            standing = pair if standing is None else standing & pair
            gain = best[stop - size] + int(standing.sum()) * (size - 1)
            if gain > saved:
                saved, chosen = gain, size
        best.append(saved)
        length.append(chosen)
    bounds, stop = [], steps
    while stop:
        bounds.append((stop - length[stop], stop))
        stop -= length[stop]
    return Windows(bounds[::-1], best[steps])
