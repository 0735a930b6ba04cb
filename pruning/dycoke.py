"""DyCoke (arXiv 2411.15024), its temporal merging: windows of four steps share what repeats.

Step 0 of a window is kept whole. Steps 1 and 3 keep the floor((1 - prune) * m) tokens least similar
to the step before, step 2 those least similar to step 0. All references lie in the past, so the
method runs step by step. It retains (1 + 3 (1 - prune)) / 4, 47.5% at the default; the smaller
numbers in tables come after the pruning in the language model, which is no part of this file.

Deviations from the released code, which are mistakes there: the last window is treated like the
others, an odd last step is not lost, and kept tokens stay in temporal order. Every step keeps at
least one token. It is called merging, but drops: nothing flows into what is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from pruning.policy import Kept, PruningPolicy, Seen, Spending, State
from pruning.ranking import best_per_step
from pruning.similarity import cosine

WINDOW = 4


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """How far the window has come, and the steps that the next ones are compared with."""

    phase: int = 0  # of the next step, in [0, WINDOW)
    opening: Tensor | None = None  # [m, d] step 0 of the window
    last: Tensor | None = None  # [m, d] the step before


@dataclass(frozen=True)
class DyCoke(PruningPolicy):
    """Keeps the first of four steps, and of the others what is new.

    Args:
        prune: share of the other three steps that is dropped, in [0, 1].
    """

    prune: float = 0.7
    method: Literal["dycoke"] = "dycoke"
    spending: ClassVar[Spending] = Spending.OWN

    def __post_init__(self) -> None:
        if not 0 <= self.prune <= 1:
            raise ValueError(f"prune must lie in [0, 1], not {self.prune}")

    def start(self) -> State:
        """Before the first window."""
        return Window()

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`; the budget is not applied."""
        window: Window = state
        opening, last, phase = window.opening, window.last, window.phase
        fewer = max(math.floor((1 - self.prune) * seen.per_step + 1e-9), 1)
        references, counts = [], []
        for step in seen.features:
            if phase == 0 or opening is None or last is None:
                opening = last = step
            references.append(opening if phase == 2 else last)
            counts.append(seen.per_step if phase == 0 else fewer)
            last, phase = step, (phase + 1) % WINDOW
        rows = best_per_step(-cosine(seen.features, torch.stack(references)), counts)
        assert opening is not None
        assert last is not None
        return Kept(rows, Window(phase, opening.clone(), last.clone()))
