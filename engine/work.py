"""What the engine has in hand; touched by its thread only."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.jobs import AnswerHandle, MemoryHandle, SegmentJob


@dataclass(slots=True, eq=False)
class Work:
    """Open memories with their segments, answers being given, answers waiting for a place."""

    memories: list[MemoryHandle] = field(default_factory=list)
    answers: list[AnswerHandle] = field(default_factory=list)
    waiting: deque[AnswerHandle] = field(default_factory=deque)

    @property
    def anything(self) -> bool:
        """Whether a step could do something."""
        return bool(self.answers or self.waiting) or any(m.segments for m in self.memories)

    def segments(self) -> Iterator[SegmentJob]:
        """The oldest segment of each camera: a camera's segments enter memory in order."""
        for handle in self.memories:
            if handle.segments:
                yield handle.segments[0]

    def everyone(self) -> Iterator[AnswerHandle]:
        """Answers being given, then those waiting."""
        yield from self.answers
        yield from self.waiting
