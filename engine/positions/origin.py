"""One running sequence: nothing can be numbered, hence seen, until the answer has ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from engine.positions.scheme import Positions, Said, Stand


@dataclass(frozen=True)
class Origin(Positions):
    """Output j stands at b + j after everything; what arrives meanwhile waits for its number.

    The offline baseline of Speak-While-Watching (arXiv 2601.06843), not trained for: it is how
    stock models are run, so any works with it. The camera stops watching while it is spoken about:
    its frames wait in their buffer, and the oldest give way. For comparisons. The embedded model
    was trained with continuous numbers, which these are.
    """

    scheme: Literal["origin"] = "origin"
    input_waits: ClassVar[bool] = True

    def question(self, stand: Stand) -> int:
        """See `Positions.question`: after a segment that already has its numbers, too."""
        return stand.numbered

    def first(self, after: int) -> int:
        """See `Positions.first`."""
        return after

    def resume(self, said: Said, stand: int) -> int:
        """See `Positions.resume`: after the answer."""
        return max(stand, said.last + 1)
