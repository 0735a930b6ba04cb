"""SToP (arXiv 2604.20937), its spatial term: attention without the places that always get it.

Sink tokens draw attention in every step and say nothing. With the attention A that a place got,
summed over all steps: sink = minmax(sum ** 1.1), in [0, 1], and A - mu * sink goes to a host method
in place of A. The published mu are for 196 tokens per step, whose attention sums to 1; here mu is
multiplied by 196 / m, so that the term keeps its size against the mean attention 1 / m.

Online form, ours: the sum over all steps becomes one that forgets, with a half-life of 64 steps,
and the first 8 steps of a stream are not penalised. What a host reads beside attention stays:
neither the temporal term (a static place is one whose cosine + mu_t * sink is above tau) nor the
0.3 * sink that the released code takes off density scores; both sit inside a host's own decision.
Hosts that read no attention cannot be helped by this term.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor

from pruning.fastvid import FastVID
from pruning.flashvid import FlashVID
from pruning.holitom import HoliTom
from pruning.policy import Kept, PruningPolicy, Seen, State
from pruning.visionzip import VisionZip

TOKENS = 196  # per step, what the published mu are for
HALF_LIFE = 64  # steps
WARM_UP = 8  # steps without a penalty
POWER = 1.1


@dataclass(frozen=True, slots=True, eq=False)
class Sinks:
    """Attention that each place has drawn, and the host's own state."""

    drawn: Tensor | None = None  # float32 [m]
    steps: int = 0  # seen, counted up to WARM_UP
    host: State = None


def without_sinks(attention: Tensor, state: Sinks, mu: float) -> tuple[Tensor, Sinks]:
    """Attention [t, m] with its sinks subtracted, and the state after, the host's untouched."""
    drawn, steps, out = state.drawn, state.steps, []
    for step in attention:
        drawn = step.clone() if drawn is None else drawn * 2 ** (-1 / HALF_LIFE) + step
        out.append(step if steps < WARM_UP else step - mu * TOKENS / len(step) * sink(drawn))
        steps = min(steps + 1, WARM_UP)
    return torch.stack(out), replace(state, drawn=drawn, steps=steps)


def sink(drawn: Tensor) -> Tensor:
    """How much of a sink each place is, [m] in [0, 1]; 0 where all are alike."""
    raised = drawn**POWER
    low, high = raised.min(), raised.max()
    return (raised - low) / (high - low).clamp(min=1e-12)


class SToP(PruningPolicy):
    """A host method that sees attention without its sinks."""

    host: PruningPolicy
    mu: float
    needs_attention: ClassVar[bool] = True

    @property
    def delay(self) -> int:
        """The host's."""
        return self.host.delay

    def start(self) -> State:
        """Nothing drawn; the host's start."""
        return Sinks(host=self.host.start())

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`."""
        attention, after = without_sinks(seen.received, state, self.mu)
        kept = self.host.decide(replace(seen, attention=attention), budget, state.host)
        return kept._replace(state=replace(after, host=kept.state))


@dataclass(frozen=True)
class VisionZipSToP(SToP):
    """VisionZip without sinks.

    Args:
        host: its parameters.
        mu: strength of the penalty, for 196 tokens per step.
    """

    host: VisionZip = field(default=VisionZip())
    mu: float = 0.03
    method: Literal["visionzip-stop"] = "visionzip-stop"
    spending = VisionZip.spending
    stepwise = VisionZip.stepwise


@dataclass(frozen=True)
class FastVIDSToP(SToP):
    """FastVID without sinks.

    Args:
        host: its parameters.
        mu: strength of the penalty, for 196 tokens per step.
    """

    host: FastVID = field(default=FastVID())
    mu: float = 0.02
    method: Literal["fastvid-stop"] = "fastvid-stop"
    spending = FastVID.spending
    stepwise = FastVID.stepwise


@dataclass(frozen=True)
class FlashVIDSToP(SToP):
    """FlashVID without sinks.

    Args:
        host: its parameters.
        mu: strength of the penalty, for 196 tokens per step.
    """

    host: FlashVID = field(default=FlashVID())
    mu: float = 0.02
    method: Literal["flashvid-stop"] = "flashvid-stop"
    spending = FlashVID.spending
    stepwise = FlashVID.stepwise


@dataclass(frozen=True)
class HoliTomSToP(SToP):
    """HoliTom without sinks.

    Args:
        host: its parameters.
        mu: strength of the penalty, for 196 tokens per step.
    """

    host: HoliTom = field(default=HoliTom())
    mu: float = 0.04
    method: Literal["holitom-stop"] = "holitom-stop"
    spending = HoliTom.spending
    stepwise = HoliTom.stepwise
