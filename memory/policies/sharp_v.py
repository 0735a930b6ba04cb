"""SharpV (arXiv 2511.08003), its memory stage: a layer forgets what it no longer sees.

A visual token whose residual stream has come to point elsewhere than the picture it came from
tells that layer little of the picture. Such layers, or single tokens in them, lose keys and values
as soon as a segment was prefilled. When memory is full, each layer keeps the most recent steps that
it has room for: those that keep less of each remember longer.

Deviations: what a token is compared with holds the DeepStack rows added up to the layer, or the
first layers would look degraded; a layer is judged step by step; a floor of each step stays; the
paper forgets nothing else, a bounded memory must.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from core.sending import sent
from memory.policies.policy import Contents, MemoryPolicy, Observes, Retained
from memory.policies.sink_window import step_sizes
from memory.table import TokenTable


@dataclass(frozen=True)
class SharpVMemory(MemoryPolicy):
    """Self-calibration.

    Attributes:
        threshold: cosine below which something is given up, -1 to 1.
        granularity: whether a layer loses all of a step's picture or single tokens of it.
        floor: share of a step's visual tokens that every layer keeps, those most like, 0 to 1.
    """

    threshold: float = 0.2
    granularity: Literal["layer", "token"] = "layer"
    floor: float = 0.1
    method: Literal["sharp_v"] = "sharp_v"
    per_head: ClassVar[bool] = True
    observes: ClassVar[Observes] = Observes.STATES

    def __post_init__(self) -> None:
        if not -1 <= self.threshold <= 1 or not 0 <= self.floor <= 1:
            raise ValueError("threshold in [-1, 1], floor in [0, 1]")
        if self.granularity not in ("layer", "token"):
            raise ValueError(f"granularity is layer or token, not {self.granularity}")

    def retain(self, contents: Contents, incoming: TokenTable, limit: int) -> Retained | None:
        """See `MemoryPolicy.retain`."""
        if contents.most <= limit:
            return None
        tokens, known = contents.tokens, contents.at_host
        groups = np.unique(tokens.group[~tokens.sink])
        sizes = torch.from_numpy(step_sizes(contents, groups))  # [steps, heads]
        newer = sizes.flip(0).cumsum(0).flip(0)  # of a step and all that follow
        sunk = known.sink.sum(-1).flatten()
        first = (newer > limit - sunk).sum(0).view(*contents.rows.shape[:2], 1)
        stay = known.column(np.searchsorted(groups, tokens.group)) >= first
        return Retained(sent((stay | known.sink) & known.filled, contents.rows.device))

    def settle(self, contents: Contents) -> Tensor | None:
        """See `MemoryPolicy.settle`."""
        likeness = contents.likeness
        if likeness is None:
            return None
        stays = torch.ones_like(likeness, dtype=torch.bool)  # [layers, tokens]
        known = ~likeness[0].isnan().cpu().numpy()
        for group in np.unique(contents.tokens.group[known]):
            own = torch.from_numpy(np.flatnonzero(known & (contents.tokens.group == group)))
            own = sent(own, likeness.device)
            stays[:, own] = self._seen(likeness[:, own])
        kept: Tensor = stays[:, None].expand(-1, contents.rows.shape[1], -1)
        return kept.gather(2, contents.rows.clamp(min=0)) & contents.filled

    def _seen(self, likeness: Tensor) -> Tensor:
        """Which visual tokens of one step each layer keeps, bool [layers, tokens]."""
        if self.granularity == "layer":
            seen = (likeness.mean(1, keepdim=True) >= self.threshold).expand_as(likeness)
        else:
            seen = likeness >= self.threshold
        least = math.ceil(self.floor * likeness.shape[1])
        best = torch.sort(likeness, dim=1, descending=True, stable=True).indices[:, :least]
        return seen.scatter(1, best, torch.ones_like(best, dtype=torch.bool))
