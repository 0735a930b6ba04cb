"""One counter that frames and answers take turns with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.positions.scheme import Positions, Said, Stand


@dataclass(frozen=True)
class Interleave(Positions):
    """Whatever comes next, said or seen, stands after the largest number given out so far.

    The serial streaming baseline of Speak-While-Watching (arXiv 2601.06843), which fine-tunes for
    it. Here frames are not held up: one that has its numbers while it is still on its way counts as
    seen for the numbers of what is said. Answers thereby move the numbers of the camera's later
    frames. A stock model meets an ordinary rising sequence with gaps; the embedded model was
    trained with continuous and with group-decoupled positions only.
    """

    scheme: Literal["interleave"] = "interleave"

    def question(self, stand: Stand) -> int:
        """See `Positions.question`."""
        return stand.numbered

    def first(self, after: int) -> int:
        """See `Positions.first`."""
        return after

    def next(self, said: Said, stand: Stand) -> int:
        """See `Positions.next`."""
        return max(said.last + 1, stand.numbered)

    def resume(self, said: Said, stand: int) -> int:
        """See `Positions.resume`."""
        return max(stand, said.last + 1)
