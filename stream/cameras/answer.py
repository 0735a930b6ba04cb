"""Questions and answers as conversations see them: an asyncio face on the engine's handle.

An `Answer` is filled from the engine's thread. Text that nobody has read yet is merged into one
pending delta, so a slow reader costs nothing and loses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import LookoutError
from core.histogram import Counts

FinishReason = Literal["stop", "length", "cancelled", "error"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier utterance of the conversation."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What is asked of a camera."""

    text: str
    instructions: str = ""
    history: tuple[Turn, ...] = ()
    images: tuple[NDArray[np.uint8], ...] = ()  # each [h, w, 3] RGB
    max_tokens: int = 128
    temperature: float = 0.0
    standing: bool = False  # put again and again: saying nothing is an answer too


@dataclass(frozen=True, slots=True)
class Evidence:
    """A stretch of a camera's stream, in stream seconds, that an answer could read."""

    camera: str
    t_start: float
    t_end: float
    tier: str = "hot"  # where it lay: hot in memory, or in the archive on device, host or disk


@dataclass(frozen=True, slots=True)
class AnswerResult:
    """How an answer ended and what it cost; times in milliseconds."""

    text: str
    finish_reason: FinishReason
    error: str | None
    prompt_tokens: int
    completion_tokens: int
    memory_tokens: int
    queue_ms: float
    ttft_ms: float | None  # question asked to first token; None if there was none
    total_ms: float
    tokens_per_s: float | None
    frame_age_ms: float | None  # age of the newest remembered frame when it was asked
    evidence: tuple[Evidence, ...]
    cause: LookoutError | None = None  # what `error` says, as it was raised
    gaps: Counts | None = None  # seconds from each token to the next


class Answer:
    """One answer being given: an async iterator of text deltas with one consumer.

    Cancelling the task that iterates is safe; leave with `aclose()` (or `async with`) so that the
    engine stops within one token and its pages come back.
    """

    def __init__(self, cancel: Callable[[], None]) -> None:
        self.result: AnswerResult | None = None
        self._cancel = cancel
        self._loop = asyncio.get_running_loop()
        self._begun = False
        self._pending = ""
        self._final: AnswerResult | None = None
        self._changed = asyncio.Event()

    def cancel(self) -> None:
        """Stop within one token. Idempotent; the iteration then ends with what was said so far."""
        self._cancel()

    def __aiter__(self) -> Answer:
        return self

    async def __anext__(self) -> str:
        while not self._pending:
            if self._final is not None:
                self.result = self._final
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        delta, self._pending = self._pending, ""
        return delta

    async def aclose(self) -> None:
        """Cancel if it still runs and wait for its end. Idempotent."""
        if self._final is None:
            self.cancel()
        while self._final is None:
            self._changed.clear()
            await self._changed.wait()
        self.result = self._final

    async def __aenter__(self) -> Answer:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def begun(self) -> None:
        """Wait until the snapshot is taken that the answer reads, or the answer is over."""
        while not self._begun and self._final is None:
            self._changed.clear()
            await self._changed.wait()

    def begin(self) -> None:
        """The snapshot was taken; callable from any thread."""
        self._call(self._start)

    def offer(self, delta: str) -> None:
        """Append text; callable from any thread."""
        self._call(lambda: self._append(delta))

    def finish(self, result: AnswerResult) -> None:
        """Set the result; callable from any thread, once."""
        self._call(lambda: self._end(result))

    def _start(self) -> None:
        self._begun = True
        self._changed.set()

    def _append(self, delta: str) -> None:
        self._pending += delta
        self._changed.set()

    def _end(self, result: AnswerResult) -> None:
        self._final = result
        self._changed.set()

    def _call(self, change: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(change)
        except RuntimeError:
            if not self._loop.is_closed():  # a closed loop has no reader left
                raise
