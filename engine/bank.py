"""The bank: the visual tokens that pruning kept of a camera's newest temporal steps.

Attention cannot choose among keys and values by question, so what a question may choose from is
kept a second time, as the language model would read it. Belongs to the engine's thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

import torch

from core.tokens import Grid, VisualTokens


class Bank:
    """The newest steps of one camera, all on one grid.

    What is lost: the oldest step, when one more than `capacity` comes; and every step of another
    grid, when the picture's size changes, for a selector compares places of one grid only. A step
    of which pruning kept nothing takes no place.

    Args:
        capacity: most temporal steps it holds, at least 1.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"a bank holds at least 1 temporal step, not {capacity}")
        self._steps: deque[VisualTokens] = deque(maxlen=capacity)

    def keep(self, steps: Iterable[VisualTokens]) -> None:
        """Take in temporal steps as `banked` gives them, in order of time; cannot fail."""
        for step in steps:
            if self._steps and self._steps[-1].grid[1:] != step.grid[1:]:
                self._steps.clear()
            if len(step):
                self._steps.append(step)

    @property
    def steps(self) -> tuple[VisualTokens, ...]:
        """What is held, oldest first, one temporal step each; later calls of `keep` leave it."""
        return tuple(self._steps)

    @property
    def bytes(self) -> int:
        """Bytes of the features, DeepStack rows and places held."""
        return sum(
            rows.numel() * rows.element_size()
            for step in self._steps
            for rows in (step.features, step.index, *step.deepstack)
        )


def banked(tokens: VisualTokens) -> list[VisualTokens]:
    """Pruned tokens as a bank takes them: single temporal steps, copied.

    So the bank holds no segment's dense tensors alive; what they received of the vision tower's
    attention is left out.
    """
    return [_without_attention(tokens.steps(i, i + 1)) for i in range(tokens.grid.t)]


def joined(steps: Sequence[VisualTokens]) -> VisualTokens:
    """Single temporal steps of one grid as one run.

    Args:
        steps: as `Bank.steps` gives them, at least one.
    """
    _, h, w = steps[0].grid
    return VisualTokens(
        features=torch.cat([step.features for step in steps]),
        index=torch.cat([step.index + place * h * w for place, step in enumerate(steps)]),
        grid=Grid(len(steps), h, w),
        times=tuple(time for step in steps for time in step.times),
        deepstack=tuple(map(torch.cat, zip(*(step.deepstack for step in steps), strict=True))),
    )


def _without_attention(step: VisualTokens) -> VisualTokens:
    deepstack = tuple(rows.clone() for rows in step.deepstack)
    return VisualTokens(step.features.clone(), step.index.clone(), step.grid, step.times, deepstack)
