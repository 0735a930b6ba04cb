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

from core.tokens import Merge
from pruning.density import centres, nearest
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
        features, m = seen.features, seen.per_step
        alike = cosine(features[:-1], features[1:]) > self.tau  # [t - 1, m]
        windows = segment(alike, seen.steps)
        covered = self._covered(features[0], state)
        left = seen.steps * m - windows.saved - int(covered.sum())
        ratio = min(budget / max(left, 1), 1.0)
        mask = torch.zeros(seen.steps, m, dtype=torch.bool, device=features.device)
        edges: list[tuple[Tensor, Tensor, Tensor]] = []  # source rows, anchor rows, weights
        for start, stop in windows.bounds:
            window, pairs = features[start:stop], alike[start : stop - 1]
            standing = pairs.all(dim=0) if len(pairs) else torch.zeros_like(covered)
            old = covered if start == 0 else torch.zeros_like(covered)
            for step in range(start, stop):
                moving = ~standing & ~old if step == start else ~standing
                mask[step] |= _most_attended(moving, seen.received[step], ratio)
            flowing = standing & ~old
            merged = self._merged(window, flowing, ratio)
            if merged is None:
                flowing = torch.zeros_like(covered)
            else:
                source, anchor, weight = merged
                mask[start, anchor] = True
                edges.append((source + start * m, anchor + start * m, weight))
        mask = at_least_one(mask, seen.received)
        rows = rows_of(mask)
        if len(window) > 1:
            old = old & standing
        content = torch.where(flowing[:, None], window.mean(dim=0), window[-1])
        if state.content is not None:
            content = torch.where(old[:, None], state.content, content)
        after = Emitted(content, old | flowing | (mask[-1] & ~standing))
        return Kept(rows, after, _merge(rows, edges))

    def _covered(self, first: Tensor, state: Emitted) -> Tensor:
        """Places of the first step whose content was emitted before, bool [m]."""
        if state.content is None or state.there is None:
            return torch.zeros(len(first), dtype=torch.bool, device=first.device)
        return state.there & (cosine(first, state.content) > self.tau)

    def _merged(
        self, window: Tensor, standing: Tensor, ratio: float
    ) -> tuple[Tensor, Tensor, Tensor] | None:
        """Edges that merge the standing places of a window [w, m, d], or None if none is kept.

        Sources are rows within the window, anchors places in its first step, one per edge.
        """
        places = standing.nonzero()[:, 0]
        count = round(len(places) * ratio)
        if count == 0:
            return None
        steps, m = window.shape[:2]
        means = window[:, places].mean(dim=0)  # [s, d]
        peaks = centres(means, count)
        cluster = nearest(means, peaks)  # [s]
        sizes = cluster.bincount(minlength=count)
        shares = (1 - self.beta) / sizes[cluster].float()
        shares[peaks] += self.beta
        offsets = torch.arange(steps, device=window.device)[:, None] * m
        source = (offsets + places).flatten()
        anchor = places[peaks][cluster].repeat(steps)
        return source, anchor, (shares / steps).repeat(steps)


def _most_attended(places: Tensor, attention: Tensor, ratio: float) -> Tensor:
    """The ceil(ratio * n) of n places, bool [m], that receive most of the attention [m]."""
    count = math.ceil(int(places.sum()) * ratio - 1e-9)
    kept = torch.zeros_like(places)
    kept[best(attention.masked_fill(~places, -1.0), count)] = True
    return kept


def _merge(rows: Tensor, edges: list[tuple[Tensor, Tensor, Tensor]]) -> Merge | None:
    if not edges:
        return None
    source, anchor, weight = (torch.cat(parts) for parts in zip(*edges, strict=True))
    return Merge(source, torch.searchsorted(rows, anchor), weight)
