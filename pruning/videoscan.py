"""VideoScan style (arXiv 2503.09387): one carrier per step, the mean of all its tokens.

The paper appends the mean of a frame's tokens after them, lets the language model read both, and
then forgets all but that carrier's keys and values; a two-stage training teaches the model to put
the frame into it. Deviations: at ingest there is nothing to forget later, so only the carrier is
given; its place on the grid is that of the token most like the mean. For a model that was not
trained for it this is the extreme of one token per step, a baseline to beat.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from pruning.merging import means, merged
from pruning.policy import Kept, PruningPolicy, Seen, Spending, State
from pruning.similarity import cosine


@dataclass(frozen=True)
class VideoScan(PruningPolicy):
    """Keeps one token per step, which becomes the mean of all."""

    method: Literal["videoscan"] = "videoscan"
    spending: ClassVar[Spending] = Spending.OWN

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`; the budget is not applied."""
        alike = cosine(seen.features, seen.features.mean(dim=1, keepdim=True))  # [t, m]
        offsets = torch.arange(seen.steps, device=alike.device) * seen.per_step
        rows = alike.argmax(dim=1) + offsets
        every = torch.arange(seen.steps * seen.per_step, device=alike.device)
        flow = means(every, rows.repeat_interleave(seen.per_step), len(every))
        return Kept(rows, state, merged(rows, [flow]))
