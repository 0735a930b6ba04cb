"""VisionZip (arXiv 2412.04467): the most attended tokens, and the others condensed into a few.

Of k tokens of a step, round(dominant * k) are those that receive most attention in the last vision
block. Of the rest, k - that many are taken at even strides as targets, every other one goes to the
target most like it, and each target becomes target + mean of what came to it.

Deviations: that sum doubles the norm; by default it is halved here, which keeps its direction, and
`doubled` gives the published one. Likeness is the cosine of the features, since the keys of the
vision block are not in the contract. Attention is what all tokens of the step pay, for vision
towers without a class token; 54 of 64 dominant ones is the published share there. A step keeps at
least one dominant token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from pruning.budget import split_evenly
from pruning.merging import Flow, merged
from pruning.policy import Kept, PruningPolicy, Seen, State
from pruning.ranking import best


@dataclass(frozen=True)
class VisionZip(PruningPolicy):
    """Keeps the dominant tokens of every step and condenses the others.

    Args:
        dominant: share of the kept tokens that attention chooses, in [0, 1].
        doubled: add the mean to a target instead of averaging the two, as published.
    """

    dominant: float = 54 / 64
    doubled: bool = False
    method: Literal["visionzip"] = "visionzip"
    needs_attention: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 <= self.dominant <= 1:
            raise ValueError(f"dominant must lie in [0, 1], not {self.dominant}")

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`."""
        chosen, flows = [], []
        for step, count in enumerate(split_evenly(budget, seen.steps)):
            attended = best(seen.received[step], max(round(self.dominant * count), 1))
            targets, flow = self._contexts(seen.features[step], attended, count - len(attended))
            offset = step * seen.per_step
            chosen.append(torch.cat([attended, targets]).sort().values + offset)
            if flow is not None:
                flows.append(Flow(flow.source + offset, flow.anchor + offset, flow.weight))
        rows = torch.cat(chosen)
        return Kept(rows, state, merged(rows, flows))

    def _contexts(self, step: Tensor, attended: Tensor, count: int) -> tuple[Tensor, Flow | None]:
        """Targets among the places of a step [m, d] that are not attended, and what flows in."""
        if count == 0:
            return attended[:0], None
        others = torch.ones(len(step), dtype=torch.bool, device=step.device)
        others[attended] = False
        rest = others.nonzero()[:, 0]
        targets = rest[torch.arange(count, device=step.device) * (len(rest) // count)]
        others[targets] = False
        sources = others.nonzero()[:, 0]
        if not len(sources):
            return targets, None
        unit = F.normalize(step, dim=1)
        nearest = (unit[sources] @ unit[targets].T).argmax(dim=1)
        came = nearest.bincount(minlength=count)
        own, share = (1.0, 1.0) if self.doubled else (0.5, 0.5)
        grown = targets[came > 0]
        return targets, Flow(
            torch.cat([grown, sources]),
            torch.cat([grown, targets[nearest]]),
            torch.cat([step.new_full((len(grown),), own), share / came[nearest].float()]),
        )
