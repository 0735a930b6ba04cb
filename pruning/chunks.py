"""OmniRefine's borders: a segment cut into chunks of a few steps that belong together.

Maximises, by dynamic programming, the sum over chunks of their score minus a penalty per chunk,
where a chunk's score is the mean of the similarities inside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def chunks(
    similar: Sequence[float], shortest: int, longest: int, penalty: float
) -> list[tuple[int, int]]:
    """[start, stop) of each chunk, in order; they cover all steps.

    A segment too short for one chunk, or of a length that no chunks add up to, may hold one that is
    shorter than `shortest`. Of equal sums the longer last chunk is taken.

    Args:
        similar: of each step to the one after it, one fewer than there are steps.
        shortest: steps of a chunk at least, if it can be.
        longest: steps of a chunk at most.
        penalty: what a chunk costs.
    """
    steps = len(similar) + 1
    fitting = _cut(similar, steps, range(shortest, longest + 1), penalty)
    return fitting or _cut(similar, steps, range(1, longest + 1), penalty)


def _cut(
    similar: Sequence[float], steps: int, sizes: range, penalty: float
) -> list[tuple[int, int]]:
    """The best chunks of these sizes, or none where no chunks of them add up to `steps`."""
    sums = [0.0]  # of the similarities before each step
    for value in similar:
        sums.append(sums[-1] + value)
    best, length = [0.0] + [-math.inf] * steps, [0] * (steps + 1)
    for stop in range(1, steps + 1):
        for size in sizes:
            start = stop - size
            if start < 0 or best[start] == -math.inf:
                continue
            score = (sums[stop - 1] - sums[start]) / (size - 1) if size > 1 else 0.0
            if best[start] + score - penalty >= best[stop]:
                best[stop], length[stop] = best[start] + score - penalty, size
    if best[steps] == -math.inf:
        return []
    bounds, stop = [], steps
    while stop:
        bounds.append((stop - length[stop], stop))
        stop -= length[stop]
    return bounds[::-1]
