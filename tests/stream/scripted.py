"""A source that does what a test tells it, and a record of what a feed says."""

from __future__ import annotations

import asyncio
import time

import numpy as np

from core.errors import SourceUnavailable
from core.frames import Frame
from stream.sources.base import EndOfSource, Source, SourceInfo
from stream.sources.feed import CameraState, FeedStatus
from stream.sources.sampler import Sampler


class ScriptedSource(Source):
    """Opens as told, and delivers what `give` and `lose` put into it."""

    def __init__(
        self,
        refusal: SourceUnavailable | None = None,
        *,
        live: bool = True,
        lossless: bool = False,
        hangs: bool = False,
    ) -> None:
        super().__init__("scripted", live=live, lossless=lossless)
        self.closed = 0
        self._refusal = refusal
        self._hangs = hangs
        self._queue: asyncio.Queue[Frame | Exception] = asyncio.Queue()

    def give(self, *times: float, size: tuple[int, int] = (4, 6)) -> ScriptedSource:
        for pts in times:
            self._queue.put_nowait(Frame(pts, time.monotonic(), np.zeros((*size, 3), np.uint8)))
        return self

    def lose(self, reason: str = "ended") -> ScriptedSource:
        self._queue.put_nowait(SourceUnavailable("lost", reason))
        return self

    def finish(self) -> ScriptedSource:
        self._queue.put_nowait(EndOfSource())
        return self

    async def open(self, sampler: Sampler) -> SourceInfo:
        if self._hangs:
            await asyncio.Event().wait()
        if self._refusal is not None:
            raise self._refusal
        return SourceInfo("h264", 6, 4, 25.0)

    async def recv(self) -> Frame:
        got = await self._queue.get()
        if isinstance(got, Exception):
            raise got
        self.stats.decoded += 1
        return got

    async def close(self) -> None:
        self.closed += 1


class Journal:
    """Every status that a feed published, in order."""

    def __init__(self) -> None:
        self.entries: list[FeedStatus] = []

    def __call__(self, status: FeedStatus) -> None:
        self.entries.append(status)

    @property
    def states(self) -> list[CameraState]:
        return [entry.state for entry in self.entries]

    def has_passed(self, *states: CameraState) -> bool:
        """Whether these states came in this order, others in between allowed."""
        rest = iter(self.states)
        return all(state in rest for state in states)
