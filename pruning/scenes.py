"""Runs of steps between cuts, where the mean token turns away from that of the step before.

FastVID and FlashVID merge over time within such a run. Both also cut the least alike of all
transitions until a video has eight runs; on a stream that would make every step of a short segment
a run of its own, so that here only the threshold cuts, and the segment's border.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from pruning.similarity import cosine


def scenes(features: Tensor, threshold: float) -> list[tuple[int, int]]:
    """[start, stop) of each run of features [t, m, d]; a cosine below `threshold` cuts."""
    means = features.mean(dim=1)
    alike = cosine(means[:-1], means[1:])
    cuts = [step + 1 for step in (alike < threshold).nonzero()[:, 0].tolist()]
    edges = [0, *cuts, len(features)]
    return list(pairwise(edges))
