"""FastVID (arXiv 2503.11187): salient tokens in every step, dense ones for what a scene shares.

Segments are cut where the mean token's cosine to the step before is below tau (`pruning.scenes`).
Of the k tokens of a step, k - floor(context * k) are those that receive most attention in the last
vision block. The rest of a scene's budget goes to its anchor steps, every fourth counted back from
its last: density peaks (4 neighbours) among the tokens that attention left. Into each anchor step
flow all such tokens of the scene, each into the centre most like it, and a centre with n of them,
itself included, becomes w * itself + (1 - w) * their mean, w = max(1 / (n + 1), beta).

Deviations: the seven least alike transitions are not cut (see `pruning.scenes`), and the transition
is measured on mean tokens, not on the vision tower's pooled ones. The total is exact: the published
code funnels a scene's share into its last step and loses what does not fit there (18.8% kept of
25%); here that share goes back to the salient tokens of all steps. Every step has a salient token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from pruning.budget import split_evenly
from pruning.density import centres
from pruning.merging import Flow, merged
from pruning.policy import Kept, PruningPolicy, Seen, State
from pruning.ranking import best_per_step
from pruning.scenes import scenes

PERIOD = 4  # steps from anchor step to anchor step
NEIGHBOURS = 4


@dataclass(frozen=True)
class FastVID(PruningPolicy):
    """Keeps salient tokens of every step and merges the others of a scene into its anchor steps.

    Args:
        tau: cosine of mean tokens below which a scene ends; 0.84 is published for Qwen2.5-VL.
        context: share of the budget that goes to anchor steps, in [0, 1].
        beta: least weight of a centre against the mean of what flows into it, in [0, 1].
    """

    tau: float = 0.9
    context: float = 0.4
    beta: float = 0.6
    method: Literal["fastvid"] = "fastvid"
    stepwise: ClassVar[bool] = False
    needs_attention: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("context", "beta"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], not {getattr(self, name)}")

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`."""
        counts = split_evenly(budget, seen.steps)
        chosen: list[Tensor] = []
        flows: list[Flow] = []
        for start, stop in scenes(seen.features, self.tau):
            salient, peaks = self.quotas(counts[start:stop], seen.per_step)
            offset = start * seen.per_step
            attended = best_per_step(seen.received[start:stop], salient)
            chosen.append(attended + offset)
            scene = seen.features[start:stop]
            left = torch.ones(scene.shape[:2], dtype=torch.bool, device=scene.device)
            left.view(-1)[attended] = False
            for step, count in enumerate(peaks):
                if count:
                    anchors, flow = self._context(scene, left, step, count)
                    flows.append(Flow(flow.source + offset, flow.anchor + offset, flow.weight))
                    chosen.append(anchors + offset)
        rows = torch.cat(chosen).sort().values
        return Kept(rows, state, merged(rows, flows))

    def quotas(self, counts: list[int], cap: int) -> tuple[list[int], list[int]]:
        """Salient and context tokens of each step of a scene.

        Args:
            counts: budget of each step, at least 1 and at most `cap`.
            cap: tokens that a step has.
        """
        steps, total = len(counts), sum(counts)
        anchors = [step for step in range(steps) if (steps - 1 - step) % PERIOD == 0]
        shared = min(sum(int(self.context * count) for count in counts), total - steps)
        while True:
            salient = split_evenly(total - shared, steps)
            peaks = [0] * steps
            for step, count in zip(anchors, split_evenly(shared, len(anchors)), strict=True):
                peaks[step] = count
            if all(s + c <= cap for s, c in zip(salient, peaks, strict=True)):
                return salient, peaks
            shared -= 1

    def _context(self, scene: Tensor, left: Tensor, step: int, count: int) -> tuple[Tensor, Flow]:
        """The centres of one anchor step, and what flows into them from all of the scene.

        Args:
            scene: float32 [w, m, d].
            left: bool [w, m], what attention left.
            step: the anchor step.
            count: centres.
        """
        m = scene.shape[1]
        rest = left[step].nonzero()[:, 0]
        anchor = rest[centres(scene[step, rest], count, NEIGHBOURS)] + step * m  # [count]
        source = left.view(-1).nonzero()[:, 0]  # [e]
        unit = F.normalize(scene.flatten(0, 1), dim=1)
        belongs = (unit[source] @ unit[anchor].T).argmax(dim=1)
        belongs[torch.searchsorted(source, anchor)] = torch.arange(count, device=scene.device)
        members = belongs.bincount(minlength=count).float()
        weight = (1 / (members + 1)).clamp(min=self.beta)
        return anchor, Flow(
            torch.cat([anchor, source]),
            torch.cat([anchor, anchor[belongs]]),
            torch.cat([weight, ((1 - weight) / members)[belongs]]),
        )
