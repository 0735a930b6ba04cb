"""The newest notes of a camera: written on the engine's thread, read on the event loop."""

from __future__ import annotations

from collections import deque
from typing import Final

from engine.requests import Noted

MOST: Final = 1000


class Notebook:
    """Notes, oldest first; with one more than `MOST` the oldest is lost.

    It outlives what the memory holds of them: text takes no tokens.
    """

    def __init__(self) -> None:
        self._notes: deque[Noted] = deque(maxlen=MOST)

    def add(self, note: Noted) -> None:
        """One more; from any thread, returns at once."""
        self._notes.append(note)

    def all(self) -> tuple[Noted, ...]:
        """All that are there now."""
        return tuple(self._notes.copy())
