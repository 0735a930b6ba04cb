"""CurveStream (arXiv 2603.19571): whole, coarse or nearly dropped steps by how the stream turns.

With F_t a step's feature, the score of a step is its movement and, lightly, its causal curvature,
  CS_t = (1 - cos(F_t, F_{t-1})) + bend * (1 - cos(F_{t-1} - F_{t-2}, F_t - F_{t-1})),
compared with the running mean mu and deviation sigma of the scores before it: up to
mu + low * sigma the step is dropped, up to mu + high * sigma it is given at low resolution, above
at full resolution. mu and sigma forget exponentially: an even average at first, by `pace` later.

Published are bend = 0.2 (of 0.2 to 1) and the three states; low, high and pace are not in the text
we have, so 0, 1 and 0.05 are ours: of scores spread like a bell they keep about a quarter. Further
deviations: F is the mean visual token, not a feature of DINOv2; low resolution, 224 x 224 as
published, is the average of blocks of 2 x 2 tokens, since a step was encoded before it is judged; a
dropped step keeps the token closest to its mean, which carries its time; the first step is whole,
and the first score only founds the average. The queue of 10 to 20 frames is the memory's business,
not a pruner's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from core.tokens import Grid, Merge
from pruning.policy import Kept, PruningPolicy, Seen, Spending, State
from pruning.similarity import cosine

SIDE = 2  # of the blocks that low resolution averages
NEVER = float("inf")  # score of a stream's first step


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """Where the stream was, and the running mean and variance of its scores."""

    before: Tensor | None = None  # float32 [d], the last step
    earlier: Tensor | None = None  # float32 [d], the one before it
    scored: int = 0  # scores so far
    mean: float = 0.0
    variance: float = 0.0

    def judge(self, score: float, low: float, high: float) -> int:
        """How much of a step with this score is given: 0 nearly nothing, 1 coarse, 2 whole."""
        if score == NEVER:
            return 2
        if not self.scored:
            return 0
        deviation = self.variance**0.5
        return int(score > self.mean + low * deviation) + int(score > self.mean + high * deviation)

    def after(self, point: Tensor, score: float, pace: float) -> Course:
        """The course once a step at `point` [d] has been judged."""
        if score == NEVER:
            return Course(point)
        scored = self.scored + 1
        share = max(1 / scored, pace)
        off = score - self.mean
        mean = self.mean + share * off
        variance = (1 - share) * (self.variance + share * off * off)
        return Course(point, self.before, scored, mean, variance)


@dataclass(frozen=True)
class CurveStream(PruningPolicy):
    """Gives steps whole, coarse or nearly not at all.

    Args:
        bend: weight of the curvature against the movement.
        low: deviations above the mean beyond which a step is given at all.
        high: deviations above the mean beyond which it is given whole, at least `low`.
        pace: weight of the newest score in the running mean, in (0, 1].
    """

    bend: float = 0.2
    low: float = 0.0
    high: float = 1.0
    pace: float = 0.05
    method: Literal["curvestream"] = "curvestream"
    spending: ClassVar[Spending] = Spending.OWN

    def __post_init__(self) -> None:
        if not self.bend >= 0:
            raise ValueError(f"bend must be at least 0, not {self.bend}")
        if not self.high >= self.low:
            raise ValueError(f"high must be at least low, not {self.high} and {self.low}")
        if not 0 < self.pace <= 1:
            raise ValueError(f"pace must lie in (0, 1], not {self.pace}")

    def start(self) -> State:
        """Nowhere yet."""
        return Course()

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`; the budget is not applied."""
        course: Course = state
        rows: list[Tensor] = []
        merges: list[Merge] = []
        count = 0
        for step, features in enumerate(seen.features):
            point = features.mean(dim=0)
            score = turn(course.earlier, course.before, point, self.bend)
            kept, merge = _given(course.judge(score, self.low, self.high), features, seen.grid)
            if merge is not None:
                source = merge.source + step * seen.per_step
                merges.append(Merge(source, merge.target + count, merge.weight))
            rows.append(kept + step * seen.per_step)
            count += len(kept)
            course = course.after(point, score, self.pace)
        joined = (
            Merge(*(torch.cat(parts) for parts in zip(*merges, strict=True))) if merges else None
        )
        return Kept(torch.cat(rows), course, joined)


def turn(earlier: Tensor | None, before: Tensor | None, point: Tensor, bend: float) -> float:
    """The score of a step at `point`, in [0, 2 + 2 * bend]; `NEVER` if nothing was before it.

    Args:
        earlier: the step before `before`, [d]; without it, and where the stream stood still, the
            curvature counts 1.
        before: the step before this one, [d].
        point: this step, [d].
        bend: weight of the curvature.
    """
    if before is None:
        return NEVER
    moved = 1 - float(cosine(before, point))
    if earlier is None:
        return moved + bend
    legs = before - earlier, point - before
    return moved + bend * (1 - float(F.cosine_similarity(*legs, dim=0, eps=1e-12)))


def _given(state: int, features: Tensor, grid: Grid) -> tuple[Tensor, Merge | None]:
    """Places [k] of one step's tokens [m, d] that are given in this state, and what flows in."""
    places = torch.arange(grid.per_step, device=features.device)
    if state == 2:
        return places, None
    if state == 0:
        return cosine(features, features.mean(dim=0)).argmax()[None], None
    across = (grid.w + SIDE - 1) // SIDE
    block = (places // grid.w // SIDE) * across + places % grid.w // SIDE  # [m]
    sizes = block.bincount()
    corner = (places // grid.w % SIDE == 0) & (places % grid.w % SIDE == 0)
    return places[corner], Merge(places, block, 1.0 / sizes[block].float())
