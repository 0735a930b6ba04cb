"""V-CAST (arXiv 2603.27650) on a stream: budget by curvature, tokens by a dual anchor.

Spatial score, per step, as published: one minus the cosine to the step's mean token, plus the
token's norm scaled to [0, 1] within the step. Temporal weight: the curvature of the path of the
steps' unit mean tokens, exp(curvature / temperature). `pruning.vcast_offline` is the published
method over one whole video.

Deviations, because a stream has no end to normalise over: the weights are divided by their running
mean instead of a softmax over the whole video, the share is clipped to a factor of `spread`, and
what is over- or underspent is owed (`pruning.budget.Purse`). With `lookahead` 0 the curvature is
taken at the step before (causal); with 1 it is the published one, and a step is decided when the
next one has been seen. The published curvature has no magnitude gate: on a fixed camera noise alone
curves the path by 1.5, more than a cut does. `gate` adds one, ours: the curvature is multiplied by
m / (m + gate), m the mean length of the two legs of the turn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from pruning.budget import Purse
from pruning.policy import Kept, PruningPolicy, Seen, Spending, State
from pruning.ranking import best_per_step

EPS = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """Unit mean tokens of the last steps and the purse."""

    before: Tensor | None = None  # [d] of the last decided step
    earlier: Tensor | None = None  # [d] of the one before it
    purse: Purse = field(default_factory=Purse)


@dataclass(frozen=True)
class VCast(PruningPolicy):
    """Curvature decides how many tokens of a step are kept, the dual anchor which.

    Args:
        lookahead: 0 decides at once, 1 waits for the next temporal step.
        temperature: of the curvature weights, above 0.
        spread: largest factor by which a step may exceed or undercut its share; 1 turns the
            temporal allocation off.
        gate: length of movement below which a turn counts for less; 0 as published, 0.05 for
            fixed cameras.
    """

    lookahead: Literal[0, 1] = 0
    temperature: float = 0.7
    spread: float = 3.0
    gate: float = 0.0
    method: Literal["vcast"] = "vcast"
    spending: ClassVar[Spending] = Spending.LONG_RUN

    def __post_init__(self) -> None:
        if self.lookahead not in (0, 1):
            raise ValueError(f"lookahead is 0 or 1, not {self.lookahead}")
        if not self.temperature > 0:
            raise ValueError(f"temperature must be above 0, not {self.temperature}")
        if not self.spread >= 1:
            raise ValueError(f"spread must be at least 1, not {self.spread}")
        if not self.gate >= 0:
            raise ValueError(f"gate must be at least 0, not {self.gate}")

    @classmethod
    def variants(cls) -> tuple[Self, ...]:
        """Causal, with lookahead, and both gated."""
        return cls(), cls(lookahead=1), cls(gate=0.05), cls(lookahead=1, gate=0.05)

    @property
    def delay(self) -> int:
        """One temporal step with lookahead, else none."""
        return self.lookahead

    def start(self) -> State:
        """An empty path."""
        return Path()

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`."""
        path: Path = state
        means = unit_means(seen.features)
        known = [m for m in (path.earlier, path.before) if m is not None]
        ahead = [] if seen.ahead is None else list(unit_means(seen.ahead))
        trail = [*known, *means, *ahead]
        purse, counts = path.purse, []
        share = budget / seen.steps
        first = len(known) if self.lookahead else len(known) - 1
        for bend in curvatures(torch.stack(trail), range(first, first + seen.steps), self.gate):
            energy = math.exp(bend / self.temperature)
            count, purse = purse.spend(energy, share, self.spread, seen.per_step)
            counts.append(count)
        last = [*known, *means][-2:]
        after = Path(last[-1].clone(), last[-2].clone() if len(last) > 1 else None, purse)
        return Kept(best_per_step(anchors(seen.features, means), counts), after)


def unit_means(features: Tensor) -> Tensor:
    """Unit mean token of each step, [t, m, d] to [t, d]."""
    return F.normalize(features.mean(dim=1), dim=-1)


def anchors(features: Tensor, means: Tensor) -> Tensor:
    """Dual-anchor scores, float32 [t, m]: contextual diversity plus feature activation.

    Args:
        features: float32 [t, m, d].
        means: unit mean token of each step, float32 [t, d].
    """
    diversity = 1 - F.cosine_similarity(features, means[:, None], dim=-1, eps=EPS)
    norms = features.norm(dim=-1)
    low, high = norms.amin(dim=1, keepdim=True), norms.amax(dim=1, keepdim=True)
    scores: Tensor = diversity + (norms - low) / (high - low + EPS)
    return scores


def curvatures(trail: Tensor, centres: range, gate: float = 0.0) -> list[float]:
    """1 - cos of the turns of the path, each times its gate; the host waits once.

    Each lies in [0, 2]; it is 1 where the path is too short to turn, or stands still (gated: 0).

    Args:
        trail: points, [p, d].
        centres: the points of the turns, one after the other; may lie outside.
        gate: see `VCast`.
    """
    inner = [centre for centre in centres if 1 <= centre < len(trail) - 1]
    bends = dict.fromkeys(centres, 1.0)
    if inner:
        moves = trail.diff(dim=0)
        arriving, leaving = moves[inner[0] - 1 : inner[-1]], moves[inner[0] : inner[-1] + 1]
        turns = 1.0 - F.cosine_similarity(arriving, leaving, dim=1, eps=EPS)
        lengths = (arriving.norm(dim=1) + leaving.norm(dim=1)) / 2
        gated = turns * lengths / (lengths + gate) if gate else turns
        bends |= zip(inner, gated.tolist(), strict=True)
    return list(bends.values())
