"""What has come into a memory since something was last said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.kept import KeptStep


@dataclass(slots=True)
class Stretch:
    """Some consecutive segments; belongs to the engine's thread."""

    segments: int = 0
    start: float = 0.0  # stream seconds of the first and of the last step, if there are segments
    end: float = 0.0

    def add(self, steps: Sequence[KeptStep]) -> None:
        """A segment came in with these temporal steps; one without any does not count."""
        if not steps:
            return
        self.start = self.start if self.segments else steps[0].time
        self.end = steps[-1].time
        self.segments += 1

    def take(self) -> tuple[float, float]:
        """From when to when it is; the next one begins."""
        self.segments = 0
        return self.start, self.end
