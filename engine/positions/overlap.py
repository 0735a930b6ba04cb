"""What is said and what comes in at the same time start from the same number (OSPE)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.positions.scheme import Positions, Said, Stand


@dataclass(frozen=True)
class Overlap(Positions):
    """The words said after a step came in start where the step that comes next will start.

    With start b, output j of these words stands at b + j and the next step's tokens at b + t, b +
    row, b + column, however many words there are; after that step both go on from the larger end.
    Overlapped Streaming Position Encoding of Speak-While-Watching (arXiv 2601.06843), which
    fine-tunes for it. Its formula refers to itself and its public code numbers as `Origin` does:
    this is our reading of the text. Two things at one position are new to any stock model; the
    embedded model was trained with continuous and with group-decoupled positions only.
    """

    scheme: Literal["overlap"] = "overlap"

    def first(self, after: int) -> int:
        """See `Positions.first`."""
        return after

    def next(self, said: Said, stand: Stand) -> int:
        """See `Positions.next`."""
        return max(said.last + 1, stand.end)

    def resume(self, said: Said, stand: int) -> int:
        """See `Positions.resume`."""
        return max(stand, said.start)
