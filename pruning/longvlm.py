"""LongVLM (arXiv 2404.03384), its merging: pairs of alike tokens, halved until the budget is met.

Bipartite soft matching over a whole segment, in rounds: tokens are split into two by turns, each of
the first half finds the most alike of the second (cosine of the mean over 16 groups of channels),
and the most alike pairs merge: half of all tokens, or what is missing to the budget. Merged tokens
are averages weighted by size, so that each ends as the mean of all that went into it. This is the
published schedule, 2560 tokens to 30 by 1280, 640, ..., 40 and 10, for any budget.

Deviations: in every step the token least like the step's mean is never merged away (others may
merge into it), because each step must keep one, and the odd one would lose most. A merged token
stands where the largest part of it stood, or where the one that must stay did. Rounds go through
the tokens in the order of their places. The global tokens, means over the class tokens of
the vision tower, have no place on the grid: they and the projector trained on them are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from pruning.merging import means, merged
from pruning.policy import Kept, PruningPolicy, Seen, State
from pruning.similarity import cosine


class Groups(NamedTuple):
    """Tokens merged so far, in the order of their anchors."""

    mean: Tensor  # float32 [g, d]
    size: Tensor  # int64 [g]
    anchor: Tensor  # int64 [g], row, increasing
    stays: Tensor  # bool [g]


@dataclass(frozen=True)
class LongVLM(PruningPolicy):
    """Merges the most alike tokens of a segment until the budget is met.

    Args:
        groups: of channels that likeness is averaged over; one that does not divide their number is
            replaced by the largest divisor that both have in common.
    """

    groups: int = 16
    method: Literal["longvlm"] = "longvlm"
    stepwise: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.groups < 1:
            raise ValueError(f"groups must be at least 1, not {self.groups}")

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`."""
        tokens = seen.features.flatten(0, 1)
        every = torch.arange(len(tokens), device=tokens.device)
        odd = cosine(seen.features, seen.features.mean(dim=1, keepdim=True)).argmin(dim=1)
        stays = torch.zeros_like(every, dtype=torch.bool)
        stays[odd + torch.arange(seen.steps, device=odd.device) * seen.per_step] = True
        found = Groups(tokens, torch.ones_like(every), every, stays)
        belongs = every  # [n] of each token, its group
        while len(found.mean) > budget:
            found, moved = self._round(found, len(found.mean) - budget)
            belongs = moved[belongs]
        anchor = found.anchor[belongs]
        joined = (found.size > 1)[belongs]
        flow = means(every[joined], anchor[joined], len(tokens))
        return Kept(found.anchor, state, merged(found.anchor, [flow]))

    def _round(self, old: Groups, most: int) -> tuple[Groups, Tensor]:
        """One round that removes at most `most`, and where each group went, int64 [g]."""
        free = (~old.stays).nonzero()[:, 0]
        sources = free[::2]
        others = torch.ones_like(old.stays)
        others[sources] = False
        targets = others.nonzero()[:, 0]
        metric = self._metric(old.mean)
        alike, partner = (metric[sources] @ metric[targets].T).max(dim=1)
        pairs = alike.argsort(descending=True, stable=True)[:most]
        into = torch.arange(len(old.mean), device=free.device)
        into[sources[pairs]] = targets[partner[pairs]]
        return _join(old, into)

    def _metric(self, tokens: Tensor) -> Tensor:
        """What likeness is measured on, unit float32 [g, c]."""
        groups = math.gcd(self.groups, tokens.shape[1])
        return F.normalize(tokens.reshape(len(tokens), groups, -1).mean(dim=1), dim=1)


def _join(old: Groups, into: Tensor) -> tuple[Groups, Tensor]:
    """Groups after each went into another or stayed, int64 [g], and where each is then."""
    count = len(into)
    own = torch.arange(count, device=into.device)
    size = torch.zeros_like(old.size).index_add_(0, into, old.size)
    total = torch.zeros_like(old.mean).index_add_(0, into, old.mean * old.size[:, None])
    # What must stay, then the largest, then the one that others went into, then the first.
    rank = (old.stays * (2 * int(size.sum()) + 2) + 2 * old.size + (into == own)) * count
    rank = torch.full_like(into, -1).scatter_reduce_(0, into, rank + count - 1 - own, "amax")
    left = (into == own).nonzero()[:, 0]
    anchor = old.anchor[count - 1 - rank[left] % count]
    order = anchor.argsort()
    left = left[order]
    place = torch.empty_like(own)
    place[left] = torch.arange(len(left), device=into.device)
    mean = total[left] / size[left, None]
    stays = torch.zeros_like(old.size).index_add_(0, into, old.stays.long()) > 0
    return Groups(mean, size[left], anchor[order], stays[left]), place[into]
