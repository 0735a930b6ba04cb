"""The numbers of one answer's tokens as they are given out."""

from __future__ import annotations

from engine.positions.scheme import Positions, Said, Stand


class Line:
    """Where one answer stands.

    Args:
        scheme: numbers it.
        start: position of its first output token.
        last: position of the newest, marks that open the answer included.
        stand: where the input stood when it began.
    """

    def __init__(self, scheme: Positions, start: int, last: int, stand: Stand) -> None:
        self.scheme = scheme
        self.said = Said(start, last)
        self._stand = stand

    def ahead(self, stand: Stand) -> int:
        """Where the next token would stand, were it planned now."""
        return self.scheme.next(self.said, stand)

    def advance(self, position: int, stand: Stand) -> None:
        """A token was said there, planned when the input stood so."""
        moved = stand.end != self._stand.end
        self.said = Said(position if moved else self.said.start, position)
        self._stand = stand

    def resume(self, stand: int) -> int:
        """Where the input goes on that stands at `stand`."""
        return self.scheme.resume(self.said, stand)
