"""What callers ask of the engine and what it tells them; plain values that cross threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import LookoutError
from core.histogram import Counts
from core.kept import KeptStep
from memory.recall.tiers import Holdings
from memory.saving.state import MemoryState

FinishReason = Literal["stop", "length", "cancelled", "error"]


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """A question about one camera."""

    text: str
    history: tuple[tuple[str, str], ...] = ()  # (role, text), oldest first
    instructions: str = ""
    images: tuple[NDArray[np.uint8], ...] = ()  # each [h, w, 3] RGB
    max_tokens: int = 128
    temperature: float = 0.0  # 0 is greedy
    seed: int = 0
    standing: bool = False  # put again and again: saying nothing is an answer too


@dataclass(frozen=True, slots=True)
class Perceived:
    """One segment is in memory (or a look-ahead policy still holds its newest steps back)."""

    frames: int  # frames whose steps entered memory with this call
    encoded: int  # visual tokens decided about
    kept: int
    evicted: int  # tokens
    held: int
    seen: int
    t_end: float | None  # stream seconds of the newest step in memory
    seconds: float  # from submission to memory
    archived: Holdings | None = None  # what the archive holds; None without one
    steps: tuple[KeptStep, ...] = ()  # that entered memory, in order; which places were kept


@dataclass(frozen=True, slots=True)
class Begun:
    """An answer took its snapshot and knows what it reads; its own prompt is counted."""

    prompt_tokens: int
    memory_tokens: int
    t_start: float | None
    t_end: float | None
    queue_seconds: float
    recalled: tuple[tuple[float, float], ...] = ()  # archived stretches that it reads besides
    recalled_from: tuple[str, ...] = ()  # where each of them lay: device, host or disk


@dataclass(frozen=True, slots=True)
class Ended:
    """An answer is over; exactly one per answer, after which nothing more comes."""

    finish_reason: FinishReason
    tokens: int
    seconds: float  # from the first token to the last; 0 with fewer than two
    error: LookoutError | None = None
    t_end: float | None = None  # stream seconds of the newest step it saw, if it saw any
    gaps: Counts | None = None  # seconds from each token to the next


PerceiveListener = Callable[[Perceived | LookoutError], None]
"""Told once, on the engine's thread, that a segment is in memory or lost; must not block."""


@dataclass(frozen=True, slots=True)
class Noted:
    """A note that is in a camera's memory."""

    t_start: float  # stream seconds of what it is about
    t_end: float
    text: str


NoteListener = Callable[[Noted], None]
"""Told on the engine's thread, in order, of each note; must not block."""


def unheard(note: Noted) -> None:
    """For notes that nobody waits for."""


SaveListener = Callable[[MemoryState | LookoutError], None]
"""Told once, on the engine's thread, what a memory holds; must not block."""


class AnswerListener(Protocol):
    """Told on the engine's thread, in order; must not block."""

    def begun(self, begun: Begun) -> None:
        """The snapshot was taken."""

    def delta(self, text: str) -> None:
        """Some more text; never empty."""

    def ended(self, ended: Ended) -> None:
        """The answer is over and its pages are free."""
