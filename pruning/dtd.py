"""DTD of TimeChat-Online (arXiv 2504.17343): drop what the step before already showed.

A token is dropped if its cosine with the token before it in its place is above a threshold; the
first step is kept whole, and survivors keep their positions. The reference is the whole step
before, not what was kept of it, so slow drift is never caught. The default threshold is the
published code's, whose language model was tuned for it. `DTDFixed` is the mode that drops a share:
the least similar tokens of every step at a given budget, and evenly spread ones of the first.

`DTDPixels` asks the pixels under a token instead: it is dropped if they differ by less than a
threshold, in the mean of |RGB - RGB'| with RGB in [0, 1]. As published, the last frame of a step is
compared with the first frame of the step before. The model must then hand its pixels over
(`needs_pixels`), as the vision tower was shown them. The paper leaves this threshold open; 0.1 is
what its authors' examples use.

Deviation: every step keeps at least its least similar token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

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


@dataclass(frozen=True, slots=True, eq=False)
class FirstFrame:
    """The first frame of the last step seen."""

    cells: Tensor | None = None  # uint8 [m, p]; None before the first step


@dataclass(frozen=True)
class DTDPixels(PruningPolicy):
    """Keeps every token under which the picture changed enough since the step before.

    Args:
        threshold: mean absolute difference of RGB in [0, 1] below which a token is dropped.
    """

    threshold: float = 0.1
    method: Literal["dtd-pixels"] = "dtd-pixels"
    spending: ClassVar[Spending] = Spending.OWN
    needs_pixels: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold is a difference in [0, 1], not {self.threshold}")

    def start(self) -> State:
        """No step before."""
        return FirstFrame()

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`; the budget is not applied."""
        first, last = seen.shown[:, :, 0], seen.shown[:, :, -1]  # [t, m, p]
        before = first[0] if state.cells is None else state.cells
        before = torch.cat([before[None], first[:-1]])
        changed = (last.float() - before.float()).abs().mean(dim=-1) / 255  # [t, m]
        mask = changed >= self.threshold
        if state.cells is None:
            mask[0] = True
        return Kept(rows_of(at_least_one(mask, changed)), FirstFrame(first[-1].clone()))
