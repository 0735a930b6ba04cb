"""SharpV (arXiv 2511.08003), its visual stage: what differs from the step and from the step before.

With dissim(u, v) = |u / |u| - v / |v||, in [0, 2]:
  S = dissim(token, mean token of its step), T = dissim(token, token before in its place),
  importance I = T + weight * S, and threshold thr = |T| / (2 sqrt(m)), half the root mean square.
The first step of a stream has no T: it ranks by S, and its threshold is |S| / (2 sqrt(m)).

Our reading, where the paper's text was not to be had: thr is the *share* of tokens to keep,
ceil(thr * m) with the largest I (`SharpV`). That alone gives the published 12% at neighbours of
cosine 0.97; cutting I at thr keeps everything. The paper's manual mode is the literal cut I > 1.6
(`SharpVManual`). `SharpVFixed` ranks by I at a given budget, for tables. Deviations: every step
keeps at least one token (an exactly still one has thr 0), and `most` bounds the share, since the
step after a cut may keep 70%. The memory stage of the paper is no part of this file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from pruning.budget import split_evenly
from pruning.policy import Kept, PruningPolicy, Seen, Spending, State
from pruning.ranking import at_least_one, best_per_step, rows_of
from pruning.similarity import Last, distance

ROUNDING = 1e-4  # of a token: so much above a whole number is float32's doing, not one more token


@dataclass(frozen=True)
class SharpV(PruningPolicy):
    """Keeps more the more a step moves.

    Args:
        weight: of the dissimilarity to the step's mean against that to the step before.
        most: largest share of a step that is kept, in (0, 1].
    """

    weight: float = 1.0
    most: float = 1.0
    method: Literal["sharpv"] = "sharpv"
    spending: ClassVar[Spending] = Spending.OWN

    def __post_init__(self) -> None:
        if not 0 < self.most <= 1:
            raise ValueError(f"most must lie in (0, 1], not {self.most}")

    def start(self) -> State:
        """No step before."""
        return Last()

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`; the budget is not applied."""
        importance, shares = measure(seen.features, state, self.weight)
        cap = max(int(self.most * seen.per_step), 1)
        counts = [
            min(max(math.ceil(share * seen.per_step - ROUNDING), 1), cap)
            for share in shares.tolist()
        ]
        return Kept(best_per_step(importance, counts), state.then(seen.features))


@dataclass(frozen=True)
class SharpVManual(PruningPolicy):
    """Keeps every token whose importance is above a cut.

    Args:
        cut: of the importance, which lies in [0, 2 + 2 * weight].
        weight: see `SharpV`.
    """

    cut: float = 1.6
    weight: float = 1.0
    method: Literal["sharpv-manual"] = "sharpv-manual"
    spending: ClassVar[Spending] = Spending.OWN

    def start(self) -> State:
        """No step before."""
        return Last()

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`; the budget is not applied."""
        importance, _ = measure(seen.features, state, self.weight)
        mask = at_least_one(importance > self.cut, importance)
        return Kept(rows_of(mask), state.then(seen.features))


@dataclass(frozen=True)
class SharpVFixed(PruningPolicy):
    """Keeps the tokens of highest importance, as many of every step.

    Args:
        weight: see `SharpV`.
    """

    weight: float = 1.0
    method: Literal["sharpv-fixed"] = "sharpv-fixed"

    def start(self) -> State:
        """No step before."""
        return Last()

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`."""
        importance, _ = measure(seen.features, state, self.weight)
        rows = best_per_step(importance, split_evenly(budget, seen.steps))
        return Kept(rows, state.then(seen.features))


def measure(features: Tensor, last: Last, weight: float) -> tuple[Tensor, Tensor]:
    """Importance, float32 [t, m], and the adaptive share of each step, float32 [t] in [0, 1].

    Args:
        features: float32 [t, m, d].
        last: what stood before them.
        weight: see `SharpV`.
    """
    moved = distance(features, last.before(features))  # of a stream's first step: 0
    apart = distance(features, features.mean(dim=1, keepdim=True))
    lively = torch.cat([apart[:1], moved[1:]]) if last.step is None else moved
    return moved + weight * apart, lively.norm(dim=1) / (2 * math.sqrt(features.shape[1]))
