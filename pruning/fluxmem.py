"""FluxMem (arXiv 2603.02096): what differs from the steps around it, and its latest copy.

Distance of a token to another step: 1 - the largest cosine to the 3 x 3 places around its own. A
token is kept if its distance to the step before, or to the step after, is at least Otsu's threshold
over its step (`pruning.otsu`; the median where that parts nothing), and dropped all the same if its
cosine to the step after is above `drop`: of what stays, the freshest copy is kept. The first step
of a stream has no step before; the last has none after it and is kept whole, as all is in the
paper's short-term memory.

`FluxMemLong` adds what the paper does to the oldest steps: kept tokens of a step that touch and are
alike are regions (`pruning.regions`), each of which becomes its mean at the token nearest to it.

Deviations: the paper holds the last 4 steps whole, thins 32 behind them and merges those behind; at
ingest a step is decided once, so that the first of the two methods stands for its mid-term memory,
at once, and the second for its long-term one. Every step keeps at least its most distant token.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from core.tokens import Grid
from pruning.merging import Flow, means, merged
from pruning.otsu import otsu
from pruning.policy import Kept, PruningPolicy, Seen, Spending, State
from pruning.ranking import rows_of
from pruning.regions import regions
from pruning.similarity import Last


@dataclass(frozen=True)
class FluxMem(PruningPolicy):
    """Keeps what differs from before or after and is not there in the next step.

    Args:
        drop: cosine to the next step above which a token is dropped.
    """

    drop: float = 0.8
    method: Literal["fluxmem"] = "fluxmem"
    spending: ClassVar[Spending] = Spending.OWN

    @property
    def delay(self) -> int:
        """The step after must be seen."""
        return 1

    def start(self) -> State:
        """No step before."""
        return Last()

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`; the budget is not applied."""
        last: Last = state
        return Kept(rows_of(differing(seen, last, self.drop)), last.then(seen.features))


@dataclass(frozen=True)
class FluxMemLong(PruningPolicy):
    """Keeps the same, one token per region of alike neighbours.

    Args:
        drop: see `FluxMem`.
    """

    drop: float = 0.8
    method: Literal["fluxmem-long"] = "fluxmem-long"
    spending: ClassVar[Spending] = Spending.OWN

    @property
    def delay(self) -> int:
        """The step after must be seen."""
        return 1

    def start(self) -> State:
        """No step before."""
        return Last()

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`; the budget is not applied."""
        last: Last = state
        mask = differing(seen, last, self.drop)
        whole = seen.steps - 1 if seen.ahead is None else seen.steps
        flows: list[Flow] = []
        for step in range(whole):
            places = mask[step].nonzero()[:, 0]
            flow = _gathered(seen.features[step], places, seen.grid)
            mask[step] = False
            mask[step, flow.anchor] = True
            offset = step * seen.per_step
            flows.append(Flow(flow.source + offset, flow.anchor + offset, flow.weight))
        rows = rows_of(mask)
        return Kept(rows, last.then(seen.features), merged(rows, flows))


def differing(seen: Seen, last: Last, drop: float) -> Tensor:
    """What is kept of each step, bool [t, m]."""
    after = [] if seen.ahead is None else [seen.ahead[0]]
    steps = [*seen.features, *after]
    mask = torch.ones(seen.steps, seen.per_step, dtype=torch.bool, device=seen.features.device)
    before = last.step
    for index, step in enumerate(seen.features):
        if index + 1 < len(steps):
            mask[index] = _step(step, before, steps[index + 1], seen.grid, drop)
        before = step
    return mask


def _step(step: Tensor, before: Tensor | None, after: Tensor, grid: Grid, drop: float) -> Tensor:
    """What is kept of one step [m, d], bool [m]."""
    forward = away(step, after, grid)
    keep, most = forward >= _threshold(forward), forward
    if before is not None:
        backward = away(step, before, grid)
        keep = keep | (backward >= _threshold(backward))
        most = torch.maximum(forward, backward)
    keep = keep & (1 - forward <= drop)
    if not bool(keep.any()):
        keep[most.argmax()] = True
    return keep


def away(step: Tensor, other: Tensor, grid: Grid) -> Tensor:
    """Distance of each token of a step [m, d] to another step, float32 [m] in [0, 2]."""
    unit = F.normalize(step, dim=1).view(grid.h, grid.w, -1)
    around = F.pad(F.normalize(other, dim=1).view(grid.h, grid.w, -1), (0, 0, 1, 1, 1, 1))
    inside = F.pad(torch.ones(grid.h, grid.w, dtype=torch.bool, device=step.device), (1, 1, 1, 1))
    best = torch.full((grid.h, grid.w), -1.0, device=step.device)
    for row in range(3):
        for column in range(3):
            part = slice(row, row + grid.h), slice(column, column + grid.w)
            # From the difference: equal tokens are exactly 0 apart.
            alike = 1 - (unit - around[part]).square().sum(dim=-1) / 2
            best = torch.where(inside[part], torch.maximum(best, alike), best)
    return (1 - best).clamp(0, 2).flatten()


def _threshold(distances: Tensor) -> float:
    cut = otsu(distances)
    return float(distances.median()) if cut is None else cut


def _gathered(step: Tensor, places: Tensor, grid: Grid) -> Flow:
    """The flow that merges each region of some places of a step [m, d] at one of them."""
    region = regions(step, places, grid)
    mean = torch.zeros_like(step).index_add_(0, region, step[places])
    mean /= region.bincount(minlength=len(step)).clamp(min=1)[:, None]
    apart = (step[places] - mean[region]).square().sum(dim=1)
    least = torch.full((len(step),), math.inf, device=step.device)
    least = least.scatter_reduce_(0, region, apart, "amin")
    nearest = apart == least[region]  # of equally near ones the first
    anchor = torch.full_like(least, len(step), dtype=torch.int64)
    anchor = anchor.scatter_reduce_(0, region[nearest], places[nearest], "amin")
    return means(places, anchor[region], len(step))
