"""STC-Pruner (arXiv 2512.00891): what is unlike both the history and its own step.

Score of a token, in the half of its step's channels that vary least and there of unit length:
g(token, memory) + g(token, mean of the step's tokens), g as in `pruning.gaussian`; the lowest
scores are kept, as many of every step. The memory is the mean of all step means so far, this one
included, scaled to unit length. Published: 60 of 196 tokens.

This is the published method with chunks of one step; larger ones let it look ahead inside a chunk.
Deviation, a mistake there: it takes the memory's mean over channels that differ from chunk to
chunk, in the order of their variance. Here the memory keeps all channels, and the step's are looked
up. It begins to forget after 256 steps, so that a camera is not measured against its first day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from pruning.budget import split_evenly
from pruning.gaussian import likeness, quiet
from pruning.policy import Kept, PruningPolicy, Seen, State
from pruning.ranking import best_per_step

WINDOW = 256  # steps


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """The running mean of step means."""

    mean: Tensor | None = None  # float32 [d]
    steps: int = 0  # averaged, at most WINDOW

    def then(self, step: Tensor) -> History:
        """After one more step [m, d]."""
        new = step.mean(dim=0)
        steps = min(self.steps + 1, WINDOW)
        return History(new if self.mean is None else self.mean + (new - self.mean) / steps, steps)


@dataclass(frozen=True)
class STC(PruningPolicy):
    """Keeps the tokens least like the running mean and the mean of their step."""

    method: Literal["stc"] = "stc"

    def start(self) -> State:
        """Nothing seen."""
        return History()

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`."""
        history: History = state
        scores = []
        for step in seen.features:
            history = history.then(step)
            assert history.mean is not None
            channels = quiet(step.var(dim=0, correction=0))
            tokens = F.normalize(step[:, channels], dim=1)
            memory = F.normalize(history.mean[channels], dim=0)
            scores.append(likeness(tokens, memory) + likeness(tokens, tokens.mean(dim=0)))
        rows = best_per_step(-torch.stack(scores), split_evenly(budget, seen.steps))
        return Kept(rows, history)
