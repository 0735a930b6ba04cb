"""What the engine has in hand; touched by its thread only."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from engine.jobs import AnswerHandle, MemoryHandle, SegmentJob

DISK_S: Final = 0.005  # between two looks whether an answer's steps have come from the disk


@dataclass(slots=True, eq=False)
class Work:
    """Open memories with their segments, answers being given, answers waiting for a place."""

    memories: list[MemoryHandle] = field(default_factory=list)
    answers: list[AnswerHandle] = field(default_factory=list)
    waiting: deque[AnswerHandle] = field(default_factory=deque)

    @property
    def anything(self) -> bool:
        """Whether a step could do something."""
        if any(handle.segments for handle in self.memories):
            return True
        parked = sum(answer.parked for answer in self.answers)
        return parked < len(self.answers) or bool(self.waiting and not parked)

    @property
    def patience(self) -> float | None:
        """Seconds after which to look again though nothing was said; None: for ever."""
        return DISK_S if any(answer.parked for answer in self.answers) else None

    def segments(self) -> Iterator[SegmentJob]:
        """The oldest segment of each camera: a camera's segments enter memory in order."""
        for handle in self.memories:
            if handle.segments:
                yield handle.segments[0]

    def everyone(self) -> Iterator[AnswerHandle]:
        """Answers being given, then those waiting."""
        yield from self.answers
        yield from self.waiting
