"""Generated ids to text, a piece at a time; characters split over tokens wait until whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence

UNFINISHED = "\N{REPLACEMENT CHARACTER}"
WINDOW = 8  # tokens decoded again for context: spacing may depend on the token before


class Detokenizer:
    """Turns one answer's ids into text deltas whose concatenation is the text of all ids."""

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._ids: list[int] = []  # the last few ids already said, then those not said yet
        self._said = 0  # how many of them were said

    def push(self, token: int) -> str:
        """Text that became certain with this token; may be empty."""
        self._ids.append(token)
        return self._advance(final=False)

    def flush(self) -> str:
        """What is left at the end, unfinished characters included."""
        return self._advance(final=True) if len(self._ids) > self._said else ""

    def _advance(self, final: bool) -> str:
        before = self._decode(self._ids[: self._said])
        after = self._decode(self._ids)
        waiting = len(self._ids) - self._said
        if after.endswith(UNFINISHED) and not final and waiting < WINDOW:
            return ""  # beyond that no token will make a character of it
        cut = max(0, len(self._ids) - WINDOW)
        self._ids = self._ids[cut:]
        self._said = len(self._ids)
        return after[len(before) :]
