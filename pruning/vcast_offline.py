"""V-CAST (arXiv 2603.27650) as published, over one whole video: the parity mode.

Curvature of the unit means at every inner step, 1 at both ends; weights softmax(curvature / .7)
over all steps; every step gets one token, the rest of the budget goes by weight, rounded down and
capped at the step. Tokens by the dual anchor of `pruning.vcast`.

Copied with it, for parity: what rounding leaves goes token by token to the step with the largest
fraction, which is not reduced by a grant, so that one step takes it all until it is full.
Deviation: a single step gets its budget; the published code then prunes nothing. On a stream each
segment is such a video, which is not what it was made for: see `pruning.vcast`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from pruning.policy import Kept, PruningPolicy, Seen, State
from pruning.ranking import best_per_step
from pruning.vcast import anchors, curvatures, unit_means


@dataclass(frozen=True)
class VCastOffline(PruningPolicy):
    """Spends the budget of all steps by their curvature.

    Args:
        temperature: of the curvature weights, above 0.
    """

    temperature: float = 0.7
    method: Literal["vcast-offline"] = "vcast-offline"
    stepwise: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError(f"temperature must be above 0, not {self.temperature}")

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`."""
        means = unit_means(seen.features)
        bends = torch.tensor(curvatures(means, range(seen.steps)))
        weights = (bends.double() / self.temperature).softmax(dim=0)
        counts = allocate(weights.tolist(), budget, seen.per_step)
        return Kept(best_per_step(anchors(seen.features, means), counts), state)


def allocate(weights: list[float], budget: int, cap: int) -> list[int]:
    """Tokens per step, at least 1 and at most `cap` each, `budget` together.

    Args:
        weights: of the steps, summing to 1.
        budget: at least one per step, at most `cap` per step.
        cap: tokens that a step has.
    """
    raw = [weight * (budget - len(weights)) for weight in weights]
    counts = [1 + min(math.floor(share), cap - 1) for share in raw]
    fractions = [share - math.floor(share) for share in raw]
    order = sorted(range(len(raw)), key=lambda step: -fractions[step])  # stable: lower step first
    left = budget - sum(counts)
    for step in order:
        given = min(left, cap - counts[step])
        counts[step] += given
        left -= given
    return counts
