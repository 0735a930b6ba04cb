"""VidCom2 (arXiv 2505.14454): the tokens least like the video, more of them in unusual steps.

In the half of the channels that vary least over the video, tokens scaled to unit length there:
u = g(token, mean token of the video), v = g(token, mean token of its step), g as in
`pruning.gaussian`. With s = the step means of -u / .01, a step keeps
round(R (1 + softmax(s) - mean of softmax(s)) m) tokens, those of the lowest u + v.

`VidCom2Offline` is that, with a segment as the video. Its totals are rounded, not exact. `VidCom2`
runs on a stream, ours: mean and variance of the channels become running ones, which begin to forget
after 256 steps, and the softmax is taken over the last 32 steps, more or less, by a running mean of
exp(s). What that and rounding over- or underspend is owed (`pruning.budget.Debt`). The channels may
change as the stream goes on, so mean and variance are kept of all of them, of tokens scaled to unit
length in all of them; what is cut out of the mean is divided by the length that such tokens have in
the chosen channels, root mean square. Deviation of both: a step keeps at least one token.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from pruning.budget import WARM_UP, Debt
from pruning.gaussian import likeness, quiet
from pruning.policy import Kept, PruningPolicy, Seen, Spending, State
from pruning.ranking import best_per_step

TEMPERATURE = 0.01
WINDOW = 256  # steps over which channels are averaged


@dataclass(frozen=True, slots=True, eq=False)
class Channels:
    """Running mean and variance of unit tokens."""

    mean: Tensor | None = None  # float32 [d]
    variance: Tensor | None = None  # float32 [d]
    steps: int = 0  # averaged, at most WINDOW

    def then(self, step: Tensor) -> Channels:
        """After one more step [m, d]."""
        unit = F.normalize(step, dim=1)
        mean, variance = unit.mean(dim=0), unit.var(dim=0, correction=0)
        if self.mean is None or self.variance is None:
            return Channels(mean, variance, 1)
        steps = min(self.steps + 1, WINDOW)
        moved = (mean - self.mean) / steps
        drift = moved * (mean - self.mean) * (1 - 1 / steps)
        spread = self.variance + (variance - self.variance) / steps + drift
        return Channels(self.mean + moved, spread, steps)

    def look(self, step: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens [m, d] in the quiet channels, unit [m, c], and the mean there [c]."""
        assert self.mean is not None
        assert self.variance is not None
        channels = quiet(self.variance)
        mean, variance = self.mean[channels], self.variance[channels]
        length = (mean.square() + variance).sum().sqrt().clamp(min=1e-12)
        return F.normalize(step[:, channels], dim=1), mean / length


@dataclass(frozen=True, slots=True, eq=False)
class Common:
    """What is common on a stream."""

    channels: Channels = field(default_factory=Channels)
    unusual: float = 0.0  # running mean of exp(s)
    steps: int = 0  # averaged in it, at most WARM_UP
    debt: Debt = field(default_factory=Debt)

    def weigh(self, score: float) -> tuple[float, Common]:
        """The factor on a step's share, in [0, 2], from its mean u, and what is common after."""
        energy = math.exp(-score / TEMPERATURE)
        steps = min(self.steps + 1, WARM_UP)
        mean = self.unusual + (energy - self.unusual) / steps
        part = energy / (steps * mean) if mean > 0 else 1 / steps
        return 1 + part - 1 / steps, Common(self.channels, mean, steps, self.debt)


@dataclass(frozen=True)
class VidCom2(PruningPolicy):
    """Keeps what is least common on the stream so far."""

    method: Literal["vidcom2"] = "vidcom2"
    spending: ClassVar[Spending] = Spending.LONG_RUN

    def start(self) -> State:
        """Nothing seen."""
        return Common()

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`."""
        common: Common = state
        share = budget / seen.steps
        scores, counts = [], []
        for step in seen.features:
            channels = common.channels.then(step)
            tokens, mean = channels.look(step)
            video = likeness(tokens, mean)
            scores.append(video + likeness(tokens, tokens.mean(dim=0)))
            factor, common = common.weigh(float(video.mean()))
            count, debt = common.debt.settle(share * factor, share, seen.per_step)
            common = Common(channels, common.unusual, common.steps, debt)
            counts.append(count)
        return Kept(best_per_step(-torch.stack(scores), counts), common)


@dataclass(frozen=True)
class VidCom2Offline(PruningPolicy):
    """Keeps what is least common in one whole video."""

    method: Literal["vidcom2-offline"] = "vidcom2-offline"
    spending: ClassVar[Spending] = Spending.OWN  # rounds every step
    stepwise: ClassVar[bool] = False

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`; the budget is a target that rounding may miss."""
        flat = seen.features.flatten(0, 1)
        channels = quiet(flat.var(dim=0, correction=0))
        tokens = F.normalize(seen.features[..., channels], dim=-1)  # [t, m, c]
        video = likeness(tokens, tokens.mean(dim=(0, 1)))  # [t, m]
        scores = video + likeness(tokens, tokens.mean(dim=1, keepdim=True))
        parts = (-video.mean(dim=1).double() / TEMPERATURE).softmax(dim=0)
        shares = (1 + parts - parts.mean()) * budget / seen.steps
        counts = [min(max(round(share), 1), seen.per_step) for share in shares.tolist()]
        return Kept(best_per_step(-scores, counts), state)
