"""How far back anything that is held may lie.

Heads that keep single tokens may keep one for days. Its distance from what comes next would grow
past everything that a model was trained on, so what lies beyond the reach is given up unasked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from memory.table import TokenTable

_MOST_SLACK: Final = 8192


@dataclass(frozen=True, slots=True)
class Reach:
    """A number of positions.

    Args:
        positions: from a token to the one that comes next, at most.

    Raises:
        ValueError: if there are none.
    """

    positions: int

    def __post_init__(self) -> None:
        if self.positions < 1:
            raise ValueError(f"a reach is at least 1 position, not {self.positions}")

    @property
    def slack(self) -> int:
        """How much nearer steps must lie once something was too far, so that it is so rarely.

        The fixed beginning, moved before the oldest step, stands within it.
        """
        return min(self.positions // 4, _MOST_SLACK)

    def exceeded(self, tokens: TokenTable, end: int) -> bool:
        """Whether one of them, the fixed beginning included, lies farther back from `end`."""
        return bool(len(tokens)) and end - int(tokens.positions.min()) > self.positions

    def lost(self, tokens: TokenTable, end: int) -> NDArray[np.bool_]:
        """Which steps' tokens are to be given up before a token stands at `end`, [n]."""
        if not self.exceeded(tokens, end):
            return np.zeros(len(tokens), bool)
        back = end - tokens.positions.min(axis=1)
        far: NDArray[np.bool_] = (back > self.positions - self.slack) & tokens.step
        return far
