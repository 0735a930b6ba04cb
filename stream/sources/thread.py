"""Runs a blocking reader of frames on a thread of its own and makes a source of it."""

from __future__ import annotations

import asyncio
import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import Future

from core.errors import SourceUnavailable
from core.frames import Frame
from stream.sources.base import EndOfSource, Source, SourceInfo, SourceStats
from stream.sources.buffer import FrameBuffer
from stream.sources.sampler import Sampler

log = logging.getLogger("lookout.source")


class Reader(ABC):
    """The blocking side of a source; every method is called on one thread only.

    Calls may block for long but not for ever: each has a timeout of its own, because a blocked
    thread cannot be cancelled, only left behind.
    """

    @abstractmethod
    def open(self) -> SourceInfo:
        """Connects. Raises SourceUnavailable."""

    @abstractmethod
    def frames(
        self, sampler: Sampler, stats: SourceStats, stop: threading.Event
    ) -> Iterator[Frame]:
        """Sampled frames until the end, or until `stop` is set. Raises SourceUnavailable."""

    @abstractmethod
    def close(self) -> None:
        """Lets go; called once, after `open` was called, on the same thread."""


class ThreadSource(Source):
    """A source whose reader blocks: decoders, capture devices, renderers.

    Args:
        make_reader: makes the reader, on the thread.
        label: safe to show.
        live: whether its end is a loss.
        lossless: frames wait for room instead of giving way.
        buffer_frames: frames held between thread and event loop.
        open_timeout_s: patience for `open`, above the reader's own timeout.
        close_timeout_s: patience for the thread to end; after it the thread is left behind. It is
            a daemon, holds no lock, and ends when its blocked call times out.
    """

    def __init__(
        self,
        make_reader: Callable[[], Reader],
        label: str,
        *,
        live: bool,
        lossless: bool = False,
        buffer_frames: int = 16,
        open_timeout_s: float = 25.0,
        close_timeout_s: float = 2.0,
    ) -> None:
        super().__init__(label, live=live, lossless=lossless)
        self._make_reader = make_reader
        self._buffer = FrameBuffer(buffer_frames)
        self._open_timeout_s = open_timeout_s
        self._close_timeout_s = close_timeout_s
        self._stop = threading.Event()
        self._opened: Future[SourceInfo] = Future()
        self._ended: Future[None] = Future()
        self._thread: threading.Thread | None = None

    async def open(self, sampler: Sampler) -> SourceInfo:
        """Starts the thread and waits until its reader has connected."""
        if self._thread is not None:
            raise RuntimeError(f"{self.label} was opened before")
        self._thread = threading.Thread(
            target=self._work, args=(sampler,), name=f"source {self.label}", daemon=True
        )
        self._thread.start()
        try:
            async with asyncio.timeout(self._open_timeout_s):
                return await asyncio.shield(asyncio.wrap_future(self._opened))
        except TimeoutError:
            raise SourceUnavailable(
                f"{self.label} did not open within {self._open_timeout_s:g} s", "timeout"
            ) from None

    async def recv(self) -> Frame:
        """The next frame from the thread."""
        return (await self._buffer.get_many(1))[0]

    async def close(self) -> None:
        """Stops the thread, or leaves it behind when it does not stop in time."""
        self._stop.set()
        self._buffer.close(SourceUnavailable(f"{self.label} is closed", "ended"), discard=True)
        thread = self._thread
        if thread is None or not thread.is_alive():
            return
        try:
            async with asyncio.timeout(self._close_timeout_s):
                await asyncio.shield(asyncio.wrap_future(self._ended))
        except TimeoutError:
            log.warning("%s: its thread hangs and is left behind", self.label)
            return
        thread.join(self._close_timeout_s)  # it has nothing left to do

    def _work(self, sampler: Sampler) -> None:
        end: Exception
        try:
            self._read(sampler)
            end = SourceUnavailable(f"{self.label} has ended", "ended")
            if not self.live:
                end = EndOfSource()
        except SourceUnavailable as lost:
            end = lost
        except Exception as broken:  # a thread has no caller: whatever happens must reach recv
            # Only the type: the text of a foreign exception may hold the address and its password.
            end = SourceUnavailable(f"{self.label}: {type(broken).__name__} while reading")
        if not self._opened.done():
            self._opened.set_exception(end)
        self._buffer.close(end)
        self._ended.set_result(None)

    def _read(self, sampler: Sampler) -> None:
        put = self._buffer.put_blocking if self.lossless else self._buffer.put
        reader = self._make_reader()
        try:
            self._opened.set_result(reader.open())
            for frame in reader.frames(sampler, self.stats, self._stop):
                put(frame)
                self.stats.dropped = self._buffer.dropped
                if self._stop.is_set():
                    break
        finally:
            reader.close()
