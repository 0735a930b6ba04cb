"""What every source of frames promises, whatever stands behind it.

A source is opened once, read until it raises, and closed; opening again means making another one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from core.frames import Frame
from stream.sources.sampler import Sampler


class EndOfSource(Exception):
    """A finite source has delivered its last frame. Not an error and never shown to users."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What an opened source says about itself; the frame size may change later."""

    codec: str
    width: int  # pixels
    height: int  # pixels
    fps: float | None  # as announced, None when the source does not say
    decoder: str = "cpu"  # or "cuda": who was asked first; what it cannot do the processor does


@dataclass(slots=True)
class SourceStats:
    """Counters of one source since it was opened; they only rise."""

    decoded: int = 0  # frames decoded, sampled or not
    damaged: int = 0  # packets or frames that could not be decoded
    dropped: int = 0  # sampled frames that gave way inside the source
    keyframe_interval: float | None = None  # seconds, longest seen; None until two keyframes came


class Source(ABC):
    """Frames of one camera or file, sampled, in order.

    Within one source `pts` is the source's own clock: it may jump. The feed makes it rise.

    Attributes:
        label: safe to show: holds no credentials.
        live: False for a file, whose end is an end and not a loss.
        lossless: frames wait for the reader instead of giving way (a file at full speed).
        reopens: False where closing and opening cannot help (frames are handed in from outside),
            so that silence is reported but never answered by a restart.
        stats: counters, readable at any time.
    """

    reopens: ClassVar[bool] = True

    def __init__(self, label: str, *, live: bool, lossless: bool = False) -> None:
        self.label = label
        self.live = live
        self.lossless = lossless
        self.stats = SourceStats()

    @abstractmethod
    async def open(self, sampler: Sampler) -> SourceInfo:
        """Connects and starts delivering the frames that `sampler` wants.

        Raises:
            SourceUnavailable: with the reason; the source is then only good for `close`.
        """

    @abstractmethod
    async def recv(self) -> Frame:
        """The next sampled frame; cancelling it loses none.

        Raises:
            EndOfSource: a file is finished.
            SourceUnavailable: delivery has stopped; calling again raises it again.
        """

    @abstractmethod
    async def close(self) -> None:
        """Lets go of everything; idempotent, takes a bounded time even when the source hangs."""
