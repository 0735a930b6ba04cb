import asyncio
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from core.errors import SourceUnavailable
from core.frames import Frame
from stream.sources.base import SourceInfo, SourceStats
from stream.sources.sampler import Sampler
from stream.sources.thread import Reader, ThreadSource
from tests.waiting import eventually

PIXELS = np.zeros((2, 2, 3), np.uint8)


class StubbornReader(Reader):
    """Blocks where it is told to, until it is released."""

    def __init__(self, *, in_open: bool = False, error: Exception | None = None) -> None:
        self.released = threading.Event()
        self.closed = threading.Event()
        self._in_open = in_open
        self._error = error

    def open(self) -> SourceInfo:
        if self._in_open:
            self.released.wait()
        return SourceInfo("raw", 2, 2, None)

    def frames(
        self, sampler: Sampler, stats: SourceStats, stop: threading.Event
    ) -> Iterator[Frame]:
        yield Frame(0.0, time.monotonic(), PIXELS)
        if self._error is not None:
            raise self._error
        self.released.wait()

    def close(self) -> None:
        self.closed.set()


async def test_a_thread_that_hangs_in_open_is_left_behind_in_time() -> None:
    reader = StubbornReader(in_open=True)
    source = ThreadSource(
        lambda: reader, "stuck", live=True, open_timeout_s=0.05, close_timeout_s=0.05
    )
    async with asyncio.timeout(5):
        with pytest.raises(SourceUnavailable) as caught:
            await source.open(Sampler(1))
        await source.close()
    assert caught.value.reason == "timeout"
    assert not reader.closed.is_set()
    reader.released.set()
    await eventually(reader.closed.is_set)


async def test_a_thread_that_hangs_while_reading_is_left_behind_in_time() -> None:
    reader = StubbornReader()
    source = ThreadSource(lambda: reader, "stuck", live=True, close_timeout_s=0.05)
    await source.open(Sampler(1))
    await source.recv()
    async with asyncio.timeout(5):
        await source.close()
    assert not reader.closed.is_set()
    reader.released.set()
    await eventually(reader.closed.is_set)


async def test_cancelling_open_and_closing_leaves_nothing_waiting() -> None:
    reader = StubbornReader(in_open=True)
    source = ThreadSource(lambda: reader, "stuck", live=True, close_timeout_s=0.05)
    opening = asyncio.create_task(source.open(Sampler(1)))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await source.close()
    reader.released.set()
    await eventually(reader.closed.is_set)


async def test_whatever_breaks_on_the_thread_reaches_the_reader_without_its_text() -> None:
    reader = StubbornReader(error=RuntimeError("rtsp://me:secret@camera.lan"))
    source = ThreadSource(lambda: reader, "broken", live=True)
    await source.open(Sampler(1))
    await source.recv()
    with pytest.raises(SourceUnavailable, match="RuntimeError") as caught:
        await source.recv()
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    await source.close()
    assert reader.closed.is_set()


async def test_the_end_of_a_live_stream_is_a_loss() -> None:
    reader = StubbornReader()
    reader.released.set()
    source = ThreadSource(lambda: reader, "gone", live=True)
    await source.open(Sampler(1))
    await source.recv()
    with pytest.raises(SourceUnavailable) as caught:
        await source.recv()
    assert caught.value.reason == "ended"
    await source.close()


async def test_closing_before_opening_is_harmless() -> None:
    source = ThreadSource(StubbornReader, "new", live=True)
    await source.close()
    await source.close()
