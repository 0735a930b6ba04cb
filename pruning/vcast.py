"""V-CAST (arXiv 2603.27650): budget by the curvature of the stream, tokens by a dual anchor.

Spatial score, per step, as published: one minus the cosine to the step's mean token, plus the
token's norm scaled to [0, 1] within the step. Temporal weight: the curvature of the path of the
steps' unit mean tokens, exp(curvature / temperature).

Deviations, because a stream has no end to normalise over: the weights are divided by their running
mean instead of a softmax over the whole video, the share is clipped to a factor of `spread`, and
what is over- or underspent is owed (`pruning.budget.Purse`). With `lookahead` 0 the curvature is
taken at the step before (causal); with 1 it is the published one, and a step is decided when the
next one has been seen. Remainders go to the largest fraction, once each; the published loop gives
them all to one step. The curvature has no magnitude gate: on a fixed camera noise alone curves the
path, so a `spread` near 1 is the safer choice there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor

from core.tokens import VisualTokens
from pruning.budget import Purse
from pruning.policy import Kept, PruningPolicy, State, best_per_step, check, everything

EPS = 1e-6


@dataclass(frozen=True, eq=False)
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
    """

    lookahead: Literal[0, 1] = 0
    temperature: float = 0.7
    spread: float = 3.0
    method: Literal["vcast"] = "vcast"
    adaptive: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.lookahead not in (0, 1):
            raise ValueError(f"lookahead is 0 or 1, not {self.lookahead}")
        if not self.temperature > 0:
            raise ValueError(f"temperature must be above 0, not {self.temperature}")
        if not self.spread >= 1:
            raise ValueError(f"spread must be at least 1, not {self.spread}")

    @property
    def delay(self) -> int:
        """One temporal step with lookahead, else none."""
        return self.lookahead

    def start(self) -> State:
        """An empty path."""
        return Path()

    def keep(
        self, tokens: VisualTokens, budget: int, state: State, following: VisualTokens | None = None
    ) -> Kept:
        """See `PruningPolicy.keep`."""
        features = check(tokens, budget)  # [t, m, d]
        path: Path = state
        means = F.normalize(features.mean(dim=1), dim=-1)  # [t, d]
        ahead = _unit_mean(following) if self.lookahead and following is not None else None
        known = [m for m in (path.earlier, path.before) if m is not None]
        purse, counts = path.purse, []
        share = budget / tokens.grid.t
        trail = [*known, *means, *([ahead] if ahead is not None else [])]
        for place in range(len(known), len(known) + tokens.grid.t):
            energy = math.exp(curvature(trail, place, self.lookahead) / self.temperature)
            count, purse = purse.spend(energy, share, self.spread, tokens.grid.per_step)
            counts.append(count)
        last = [*known, *means][-2:]
        after = Path(last[-1], last[-2] if len(last) > 1 else None, purse)
        if budget >= len(tokens):
            return Kept(everything(tokens), after)
        return Kept(best_per_step(anchors(features, means), counts), after)


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


def curvature(trail: list[Tensor], place: int, lookahead: int) -> float:
    """1 - cos of the turn of the path at `place` (or one step before it, without lookahead).

    Lies in [0, 2]; 1 where the path is too short to turn, or stands still.
    """
    centre = place if lookahead else place - 1
    if centre < 1 or centre + 1 >= len(trail):
        return 1.0
    arriving = trail[centre] - trail[centre - 1]
    leaving = trail[centre + 1] - trail[centre]
    return 1.0 - float(F.cosine_similarity(arriving, leaving, dim=0, eps=EPS))


def _unit_mean(tokens: VisualTokens) -> Tensor:
    """Unit mean token of the first step, float32 [d]."""
    first = tokens.features[: tokens.grid.per_step].detach().float()
    return F.normalize(first.mean(dim=0), dim=-1)
