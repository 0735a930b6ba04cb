"""SToP (arXiv 2604.20937): without the places that always get attention, in two terms.

Sink tokens draw attention in every step and say nothing. With the attention A that a place got,
summed over all steps: sink = minmax(sum ** 1.1), in [0, 1].

Spatial term, for every host: A - mu * sink goes to it in place of A. The published mu are for 196
tokens per step, whose attention sums to 1; here mu is multiplied by 196 / m, so that the term keeps
its size against the mean attention 1 / m. Hosts that read no attention cannot be helped by it.

Temporal term, for HoliTom: a place stands if cosine + mu_t * sink > tau, so that sinks are merged
over time sooner (`HoliTom.decide_leaning`). The released code tests this against a fixed 0.8 and
cuts windows by the bare cosine; here one test with the host's tau serves windows, the share that is
left, and what was emitted before, or they would contradict each other.

Online form, ours: the sum over all steps becomes one that forgets, with a half-life of 64 steps,
and in the first 8 steps of a stream no place is a sink. Left out is what the released code takes
off density scores, 0.3 * sink: it is in no formula of the paper, and would not vanish with mu.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, Self

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


def sinks(attention: Tensor, state: Sinks) -> tuple[Tensor, Sinks]:
    """How much of a sink each place is at each step, and the state after, the host's untouched.

    Args:
        attention: received, float32 [t, m].
        state: what was drawn before.

    Returns:
        float32 [t, m] in [0, 1], 0 during the warm-up.
    """
    drawn, steps, out = state.drawn, state.steps, []
    for step in attention:
        drawn = step.clone() if drawn is None else drawn * 2 ** (-1 / HALF_LIFE) + step
        out.append(torch.zeros_like(step) if steps < WARM_UP else sink(drawn))
        steps = min(steps + 1, WARM_UP)
    return torch.stack(out), replace(state, drawn=drawn, steps=steps)


def without_sinks(attention: Tensor, sunk: Tensor, mu: float) -> Tensor:
    """Attention [t, m] less the penalty of its sinks [t, m]; may be negative."""
    return attention - mu * TOKENS / attention.shape[1] * sunk


def sink(drawn: Tensor) -> Tensor:
    """How much of a sink each place is, [m] in [0, 1]; 0 where all are alike."""
    raised = drawn**POWER
    low, high = raised.min(), raised.max()
    return (raised - low) / (high - low).clamp(min=1e-12)


class SToP(PruningPolicy):
    """A host method that sees attention without its sinks: the spatial term."""

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
        sunk, after = sinks(seen.received, state)
        attention = without_sinks(seen.received, sunk, self.mu)
        kept = self._ask(replace(seen, attention=attention), budget, state.host, sunk)
        return kept._replace(state=replace(after, host=kept.state))

    def _ask(self, seen: Seen, budget: int, state: State, sunk: Tensor) -> Kept:
        """What the host decides; a host with more than attention to gain reads `sunk` [t, m]."""
        return self.host.decide(seen, budget, state)


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
    """HoliTom without sinks: they draw no attention, and stand sooner than other places.

    Args:
        host: its parameters.
        mu: strength of the penalty, for 196 tokens per step.
        temporal: what a full sink adds to its cosine with the step before, published as mu_t.
    """

    host: HoliTom = field(default=HoliTom())
    mu: float = 0.04
    temporal: float = 0.07
    method: Literal["holitom-stop"] = "holitom-stop"
    spending = HoliTom.spending
    stepwise = HoliTom.stepwise

    @classmethod
    def variants(cls) -> tuple[Self, ...]:
        """Both terms, as published, and the spatial one alone."""
        return cls(), cls(temporal=0.0)

    def _ask(self, seen: Seen, budget: int, state: State, sunk: Tensor) -> Kept:
        return self.host.decide_leaning(seen, budget, state, self.temporal * sunk)
