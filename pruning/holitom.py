"""HoliTom (arXiv 2505.21334), its outer part: windows over time, standing tokens merged in each.

1. A place stands from one step to the next if the cosine is above tau. Windows are cut so that
   collapsing the places that stand through a whole window removes the most tokens
   (`pruning.windows`).
2. What is left is thinned to R' = min(budget / left, 1). Moving places, per step: the ceil(R' * n)
   that receive most attention in the last vision block. Standing places, once per window: their
   temporal mean, of which round(R' * n) density peaks stay; each becomes beta * itself +
   (1 - beta) * the mean of its cluster.
A merged token stands at its place in the window's first step.

Online form, ours: segments are segmented alone, and what was emitted cannot be revised. So where
the content last emitted is still there when a segment begins (cosine above tau to it), nothing is
merged but the place is dropped as long as it stands: the causal equivalent of the temporal mean.
Further deviations: every step keeps at least its most attended token; the share of contextual
tokens D is 0, its published default; rounding makes the totals inexact, as published.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor

from pruning.density import centres, nearest
from pruning.merging import Flow, merged
from pruning.policy import Kept, PruningPolicy, Seen, Spending, State
from pruning.ranking import at_least_one, best, rows_of
from pruning.similarity import cosine
from pruning.windows import segment


@dataclass(frozen=True, slots=True, eq=False)
class Emitted:
    """What the language model was last given of each place that still shows it."""

    content: Tensor | None = None  # float32 [m, d]
    there: Tensor | None = None  # bool [m]


@dataclass(frozen=True)
class HoliTom(PruningPolicy):
    """Keeps standing places once per window and of the moving ones the most attended.

    Args:
        tau: cosine above which a place stands; 0.65 is published for a tenth of the tokens.
        beta: weight of a cluster's centre against its mean.
    """

    tau: float = 0.8
    beta: float = 0.6
    method: Literal["holitom"] = "holitom"
    spending: ClassVar[Spending] = Spending.OWN
    stepwise: ClassVar[bool] = False
    needs_attention: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not -1 <= self.tau <= 1:
            raise ValueError(f"tau is a cosine, not {self.tau}")
        if not 0 <= self.beta <= 1:
            raise ValueError(f"beta must lie in [0, 1], not {self.beta}")

    @classmethod
    def variants(cls) -> tuple[Self, ...]:
        """Both published thresholds."""
        return cls(), cls(tau=0.65)

    def start(self) -> State:
        """Nothing emitted."""
        return Emitted()

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`; the budget is a target that rounding may miss."""
        return self.decide_leaning(seen, budget, state, torch.zeros_like(seen.received))

    def decide_leaning(self, seen: Seen, budget: int, state: State, lean: Tensor) -> Kept:
        """As `decide`, with a threshold of its own for every place.

        Args:
            seen: the steps.
            budget: of visual tokens for all these steps.
            state: what `start` or the call before returned.
            lean: what is added to the cosine of a place with what it showed before, ahead of the
                comparison with tau; float32 [t, m], that of a step is used where the step is met.
        """
        features, m = seen.features, seen.per_step
        alike = cosine(features[:-1], features[1:]) + lean[1:] > self.tau  # [t - 1, m]
        windows = segment(alike, seen.steps)
        covered = self._covered(features[0], state, lean[0])
        left = seen.steps * m - windows.saved - int(covered.sum())
        ratio = min(budget / max(left, 1), 1.0)
        masks, flows = [], []
        for start, stop in windows.bounds:
            pairs = alike[start : stop - 1]
            still = pairs.all(dim=0) if len(pairs) else torch.zeros_like(covered)
            given = covered if start == 0 else torch.zeros_like(covered)
            mask = _moving(seen.received[start:stop], still, given, ratio)
            flow = self._flow(features[start:stop], still & ~given, ratio)
            if flow is not None:
                mask[0, flow.anchor] = True
                flows.append(Flow(flow.source + start * m, flow.anchor + start * m, flow.weight))
            masks.append(mask)
        mask = at_least_one(torch.cat(masks), seen.received)
        rows = rows_of(mask)
        window = features[start:stop]  # the last one
        given = given & still if len(window) > 1 else given
        flowed = still & ~given if flow is not None else torch.zeros_like(still)
        content = torch.where(flowed[:, None], window.mean(dim=0), window[-1])
        if state.content is not None:
            content = torch.where(given[:, None], state.content, content)
        after = Emitted(content, given | flowed | (mask[-1] & ~still))
        return Kept(rows, after, merged(rows, flows))

    def _covered(self, first: Tensor, state: Emitted, lean: Tensor) -> Tensor:
        """Places of the first step whose content was emitted before, bool [m]."""
        if state.content is None or state.there is None:
            return torch.zeros(len(first), dtype=torch.bool, device=first.device)
        return state.there & (cosine(first, state.content) + lean > self.tau)

    def _flow(self, window: Tensor, still: Tensor, ratio: float) -> Flow | None:
        """How the standing places of a window [w, m, d] merge, or None if none of them is kept.

        Sources are rows of the window, anchors places in its first step.
        """
        places = still.nonzero()[:, 0]
        count = round(len(places) * ratio)
        if count == 0:
            return None
        steps, m = window.shape[:2]
        means = window[:, places].mean(dim=0)  # [s, d]
        peaks = centres(means, count)
        cluster = nearest(means, peaks)  # [s]
        shares = (1 - self.beta) / cluster.bincount(minlength=count)[cluster].float()
        shares[peaks] += self.beta
        first = torch.arange(steps, device=window.device)[:, None] * m
        anchors = places[peaks][cluster]
        return Flow(
            (first + places).flatten(), anchors.repeat(steps), (shares / steps).repeat(steps)
        )


def _moving(attention: Tensor, still: Tensor, given: Tensor, ratio: float) -> Tensor:
    """Of the moving places of each step, the ceil(ratio * n) most attended; bool [w, m].

    Args:
        attention: received, float32 [w, m].
        still: places that stand through the window, bool [m].
        given: places whose content in the first step was emitted before, bool [m].
        ratio: share to keep.
    """
    mask = torch.zeros(attention.shape, dtype=torch.bool, device=attention.device)
    for step, received in enumerate(attention):
        places = ~still & ~given if step == 0 else ~still
        count = math.ceil(int(places.sum()) * ratio - 1e-9)
        mask[step, best(received.masked_fill(~places, -math.inf), count)] = True
    return mask
