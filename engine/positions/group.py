"""Output has a counter of its own that starts at 0 (GDPE)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.positions.scheme import Positions, Stand


@dataclass(frozen=True)
class Group(Positions):
    """Output j stands at j, counted from the marks that open the answer; input as if none were.

    Group-Decoupled Position Encoding of Speak-While-Watching (arXiv 2601.06843), and the numbering
    of Think-While-Watching (arXiv 2603.11896); both fine-tune for it. Output j lies j - p from an
    input at p, ever farther before all that it sees as a stream goes on. Stock models never met
    that and need fine-tuning, and none gets over distances beyond those of its training. The
    embedded model was trained on it for short streams, its question counted from 0 too: choose
    `question_too` for it.

    Attributes:
        question_too: whether the question counts as output and starts the counter.
    """

    question_too: bool = False
    scheme: Literal["group"] = "group"

    def question(self, stand: Stand) -> int:
        """See `Positions.question`."""
        return 0 if self.question_too else stand.next

    def first(self, after: int) -> int:
        """See `Positions.first`."""
        return after if self.question_too else 0
