"""Hour-LLaVA's forgetting (arXiv 2506.05332): a quarter of the places of a quarter of the steps.

When memory is full, the older steps fade: of every fourth step every fourth place stays, of the
others nothing. Which place of four changes from one faded step to the next, so that four of them
show the whole picture.

Deviations: the paper draws places by chance, here they are given, so that a replay is a replay; its
trained blocks that look up what was forgotten are not here; when faded steps fill the memory too,
the oldest go.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from memory.policies.policy import Contents, MemoryPolicy, Retained
from memory.policies.ranking import recent
from memory.policies.sink_window import newest_steps
from memory.table import TokenTable


@dataclass(frozen=True)
class HourLlava(MemoryPolicy):
    """Uniform forgetting.

    Attributes:
        recent: share of the limit for the recent steps, which stay whole.
        steps: of so many older steps one fades, the others go.
        side: of each square of so many places a side one stays.
    """

    recent: float = 0.5
    steps: int = 4
    side: int = 2
    method: Literal["hour_llava"] = "hour_llava"
    by_table: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 <= self.recent <= 1 or min(self.steps, self.side) < 1:
            raise ValueError("recent in [0, 1], steps and side at least 1")

    def retain(self, contents: Contents, incoming: TokenTable, limit: int) -> Retained | None:
        """See `MemoryPolicy.retain`."""
        if contents.most <= limit:
            return None
        room = limit - int(contents.sink.sum(-1).max())
        stay = contents.column(self._faded(contents.tokens) | contents.tokens.sink)
        stay = (stay | recent(contents, self.recent, room)) & contents.filled
        rows = contents.rows.masked_fill(~stay, -1)
        left = replace(contents, rows=rows, host=rows)
        return newest_steps(left, limit) or Retained(stay)

    def _faded(self, tokens: TokenTable) -> NDArray[np.bool_]:
        """What would be left if all steps were old, [n]."""
        turn = tokens.group // self.steps % self.side**2
        row, column = (tokens.positions[:, 1:] - tokens.positions[:, :1]).T % self.side
        place = ~tokens.visual | (row * self.side + column == turn)
        faded: NDArray[np.bool_] = (tokens.group % self.steps == 0) & place
        return faded
