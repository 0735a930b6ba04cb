"""Right after what was seen: what every model was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.positions.scheme import Positions


@dataclass(frozen=True)
class Continuous(Positions):
    """The answer goes on after the question, and the input after what was there before it.

    The two are branches of one sequence: each is numbered as a model numbers it that knows nothing
    of the other. Needs no fine-tuning with a snapshot. Where an answer sees what comes in
    meanwhile, both use the same positions, which no stock model has met. The embedded model was
    trained with this numbering and with `Group`, and with no other.
    """

    scheme: Literal["continuous"] = "continuous"

    def first(self, after: int) -> int:
        """See `Positions.first`."""
        return after
