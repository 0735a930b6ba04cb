"""Pictures of a source, drawn before anything is measured, so that they cost every way nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import ConfigError
from core.frames import Frame
from stream.sources import MaxPace, open_source
from stream.sources.base import EndOfSource
from stream.sources.sampler import Sampler


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """A stream without end: pictures that repeat under a clock that goes on.

    Args:
        pictures: an even number of them, so that temporal steps stay the same.
        fps: how many of them a second shows.
    """

    pictures: tuple[NDArray[np.uint8], ...]
    fps: float

    def frame(self, number: int) -> Frame:
        """The frame of that number; it arrives now."""
        pixels = self.pictures[number % len(self.pictures)]
        return Frame(number / self.fps, time.monotonic(), pixels)


async def take(url: str, fps: float, count: int) -> Film:
    """The beginning of a source, at most so many pictures.

    Raises:
        SourceUnavailable: if it cannot be read.
        ConfigError: if it is shorter than a temporal step.
    """
    source = open_source(url, pace=MaxPace())
    pictures: list[NDArray[np.uint8]] = []
    try:
        await source.open(Sampler(fps))
        while len(pictures) < count:
            pictures.append((await source.recv()).pixels)
    except EndOfSource:
        pass
    finally:
        await source.close()
    whole = len(pictures) // 2 * 2
    if not whole:
        raise ConfigError(f"--source {source.label}: {len(pictures)} frames are no temporal step")
    return Film(tuple(pictures[:whole]), fps)
