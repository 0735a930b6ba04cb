"""Output has a counter of its own, far beyond the input's (GIPE)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.positions.scheme import Positions


@dataclass(frozen=True)
class Gap(Positions):
    """Output j stands at `offset` + j, counted from the marks that open the answer.

    Gap-Isolated Position Encoding of Speak-While-Watching (arXiv 2601.06843), which fine-tunes for
    it: `Group` with a constant added. An answer lies behind all that it sees only while the input
    stands before the offset, some minutes of a stream; after that it is `Group` again. The embedded
    model was trained with continuous and with group-decoupled positions only.

    Attributes:
        offset: position of the first token, at least 1.
    """

    offset: int = 10_000
    scheme: Literal["gap"] = "gap"

    def __post_init__(self) -> None:
        if self.offset < 1:
            raise ValueError(f"offset must be at least 1, not {self.offset}")

    def first(self, after: int) -> int:
        """See `Positions.first`."""
        return self.offset
