"""Reading a source to its end, and what its frames show."""

from __future__ import annotations

import asyncio

from core.frames import Frame
from stream.sources import EndOfSource, Source
from stream.sources.sampler import Sampler
from tests.rtsp.media import read_counter


async def read(
    source: Source,
    count: int | None = None,
    *,
    fps: float = 1000,
    into: list[Frame] | None = None,
) -> list[Frame]:
    """Opens, reads `count` frames or to the end, and closes, whatever happens.

    Args:
        source: not opened yet.
        count: frames to read; None reads to the end.
        fps: of the sampler.
        into: a list that gets the frames, for when reading is to fail.
    """
    frames = [] if into is None else into
    try:
        async with asyncio.timeout(60):
            await source.open(Sampler(fps))
            while count is None or len(frames) < count:
                frames.append(await source.recv())
    except EndOfSource:
        assert count is None, f"ended after {len(frames)} of {count} frames"
    finally:
        await source.close()
    return frames


def counters(frames: list[Frame]) -> list[int | None]:
    """The numbers that the frames show."""
    return [read_counter(frame.pixels) for frame in frames]
