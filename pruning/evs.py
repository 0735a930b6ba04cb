"""EVS (Efficient Video Sampling, as in vLLM): what changed most since the step before.

Novelty of a token: 1 - cosine with the token before it in its place. Published, over one video
(`EVSOffline`): the first step is kept whole, and the most novel of all others until max(m, budget)
are kept; ties go to the earlier token.

On a stream (`EVS`) there is no whole to rank over. The share that the budget allows becomes a
quantile of the novelty seen so far, in a histogram that forgets over 256 steps; a step wants the
tokens above it, and over- and underspending is owed (`pruning.budget.Debt`), the whole first step
included. Deviation of both: every step keeps at least its most novel token (so that the published
minimum of m tokens is m plus one for every other step). The histogram counts
sqrt(2 novelty), which spreads the small values of a still scene over more bins.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor

from pruning.budget import Debt
from pruning.policy import Kept, PruningPolicy, Seen, Spending, State
from pruning.ranking import best, best_per_step
from pruning.similarity import Last, distance

WINDOW = 256  # steps over which the histogram forgets
BINS = 512


@dataclass(frozen=True, slots=True, eq=False)
class Novelty:
    """The last step, the novelty seen so far, and the debt."""

    last: Last = field(default_factory=Last)
    counts: Tensor | None = None  # float32 [BINS], tokens by distance in [0, 2]
    debt: Debt = field(default_factory=Debt)


@dataclass(frozen=True)
class EVS(PruningPolicy):
    """Keeps the tokens whose novelty is among the highest seen so far."""

    method: Literal["evs"] = "evs"
    spending: ClassVar[Spending] = Spending.LONG_RUN

    def start(self) -> State:
        """Nothing seen."""
        return Novelty()

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`."""
        novelty: Novelty = state
        moved = distance(seen.features, novelty.last.before(seen.features))  # [t, m]
        share = budget / seen.steps
        tally, debt, counts = novelty.counts, novelty.debt, []
        for step, values in enumerate(moved):
            if step == 0 and novelty.last.step is None:
                wanted = float(seen.per_step)
            else:
                tally = _counted(tally, values)
                cut = upper_quantile(tally, share / seen.per_step)
                wanted = float((values > cut).sum())
            count, debt = debt.settle(wanted, share, seen.per_step)
            counts.append(count)
        after = Novelty(novelty.last.then(seen.features), tally, debt)
        return Kept(best_per_step(moved, counts), after)


@dataclass(frozen=True)
class EVSOffline(PruningPolicy):
    """Keeps the first step and the most novel tokens of the others, over one whole video."""

    method: Literal["evs-offline"] = "evs-offline"
    spending: ClassVar[Spending] = Spending.OWN  # never less than one whole step
    stepwise: ClassVar[bool] = False

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`."""
        moved = distance(seen.features, Last().before(seen.features))
        moved[0] = 3.0  # above any distance: the first step comes first
        scores = moved.flatten()
        for step in range(1, seen.steps):  # then the most novel token of each step
            scores[step * seen.per_step + int(moved[step].argmax())] += 3.0
        count = max(seen.per_step + seen.steps - 1, budget)
        return Kept(best(scores, count), state)


def upper_quantile(counts: Tensor, share: float) -> float:
    """The distance that `share` of what a histogram [BINS] over [0, 2] counted lies above.

    Inside a bin the counted are taken to be spread evenly.
    """
    wanted = share * float(counts.sum())
    above = counts.flip(0).cumsum(0)
    place = int((above < wanted).sum())
    if place >= BINS:
        return 0.0
    inside = float(counts[BINS - 1 - place])
    missing = wanted - float(above[place] - inside)
    return (BINS - place - (missing / inside if inside else 0.0)) * 2 / BINS


def _counted(counts: Tensor | None, values: Tensor) -> Tensor:
    """The histogram after one more step of distances [m]."""
    new = torch.histc(values.cpu(), bins=BINS, min=0.0, max=2.0)
    return new if counts is None else counts * (1 - 1 / WINDOW) + new
