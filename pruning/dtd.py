"""DTD of TimeChat-Online (arXiv 2504.17343): drop what the step before already showed.

A token is dropped if its cosine with the token before it in its place is above a threshold; the
first step is kept whole, and survivors keep their positions. The reference is the whole step
before, not what was kept of it, so slow drift is never caught. The default threshold is the
published code's, whose language model was tuned for it. `DTDFixed` is the mode that drops a share:
the least similar tokens of every step at a given budget, and evenly spread ones of the first.

Deviation: every step keeps at least its least similar token. The pixel mode needs pixels, which are
not in the contract; it is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from pruning.budget import split_evenly
from pruning.policy import Kept, PruningPolicy, Seen, Spending, State
from pruning.ranking import at_least_one, best_per_step, evenly, rows_of
from pruning.similarity import Last, cosine


@dataclass(frozen=True)
class DTD(PruningPolicy):
    """Keeps every token that differs enough from the step before.

    Args:
        threshold: cosine above which a token is dropped, in [-1, 1].
    """

    threshold: float = 0.5
    method: Literal["dtd"] = "dtd"
    spending: ClassVar[Spending] = Spending.OWN

    def __post_init__(self) -> None:
        if not -1 <= self.threshold <= 1:
            raise ValueError(f"threshold is a cosine, not {self.threshold}")

    def start(self) -> State:
        """No step before."""
        return Last()

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`; the budget is not applied."""
        last: Last = state
        alike = cosine(seen.features, last.before(seen.features))  # [t, m]
        mask = alike <= self.threshold
        if last.step is None:
            mask[0] = True
        return Kept(rows_of(at_least_one(mask, -alike)), last.then(seen.features))


@dataclass(frozen=True)
class DTDFixed(PruningPolicy):
    """Keeps as many tokens of every step, those least like the step before."""

    method: Literal["dtd-fixed"] = "dtd-fixed"

    def start(self) -> State:
        """No step before."""
        return Last()

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`."""
        last: Last = state
        counts = split_evenly(budget, seen.steps)
        scores = -cosine(seen.features, last.before(seen.features))
        if last.step is None:
            scores[0] = -2.0
            scores[0, evenly(counts[0], seen.per_step)] = 2.0
        return Kept(best_per_step(scores, counts), last.then(seen.features))
