"""Frames handed in from outside: JPEG over the websocket, or anything else the server receives."""

from __future__ import annotations

import time

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import FrameError, SourceUnavailable
from core.frames import Frame
from stream.sources.base import Source, SourceInfo
from stream.sources.buffer import FrameBuffer
from stream.sources.sampler import Sampler

MAX_PIXELS = 3840 * 2160


def decode_picture(data: bytes) -> NDArray[np.uint8]:
    """A JPEG, PNG or WebP file as RGB pixels [height, width, 3].

    Raises:
        FrameError: if it is empty, damaged, no picture, or larger than 4K.
    """
    if not data:
        raise FrameError("the image is empty (0 bytes)")
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise FrameError(f"{len(data)} bytes are not a readable JPEG, PNG or WebP image")
    if pixels.shape[0] * pixels.shape[1] > MAX_PIXELS:
        raise FrameError(f"the image has {pixels.shape[1]}x{pixels.shape[0]} pixels, at most 4K")
    return np.asarray(pixels, np.uint8)


class PushSource(Source):
    """A live source that delivers what `push` is given, and is silent otherwise.

    It never ends by itself: the feed reports it as stalled while nothing comes, and does not
    restart it. It may be opened again after it was closed.

    Args:
        label: safe to show.
        buffer_frames: frames held for the feed; the oldest gives way.
    """

    reopens = False

    def __init__(self, label: str = "push", *, buffer_frames: int = 8) -> None:
        super().__init__(label, live=True)
        self._capacity = buffer_frames
        self._buffer = self._closed_buffer()
        self._sampler: Sampler | None = None

    async def open(self, sampler: Sampler) -> SourceInfo:
        """Starts to accept frames; at once, since nobody has to be reached."""
        self._sampler = sampler
        self._buffer = FrameBuffer(self._capacity)
        return SourceInfo(codec="raw", width=0, height=0, fps=None)

    def push(self, pixels: NDArray[np.uint8], captured_at: float | None = None) -> bool:
        """Hands in one frame; on the event loop's thread, never waits.

        Args:
            pixels: uint8 [height, width, 3] RGB; not to be written to afterwards.
            captured_at: seconds on the sender's clock, which must be the same for all its frames;
                None takes the arrival.

        Returns:
            Whether the sampler took it.

        Raises:
            FrameError: if the array is of another shape or type.
        """
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
            raise FrameError(
                f"a frame is uint8 [height, width, 3], not {pixels.dtype} {pixels.shape}"
            )
        arrived = time.monotonic()
        self.stats.decoded += 1
        pts = arrived if captured_at is None else captured_at
        if self._sampler is None or not self._sampler.wants(pts):
            return False
        self._buffer.put(Frame(pts, arrived, pixels))
        self.stats.dropped = self._buffer.dropped
        return True

    async def recv(self) -> Frame:
        """The next frame that was pushed and sampled."""
        return (await self._buffer.get_many(1))[0]

    async def close(self) -> None:
        """Accepts nothing more until it is opened again."""
        self._sampler = None
        self._buffer.close(SourceUnavailable(f"{self.label} is closed", "ended"), discard=True)

    def _closed_buffer(self) -> FrameBuffer:
        buffer = FrameBuffer(self._capacity)
        buffer.close(SourceUnavailable(f"{self.label} is not open", "ended"))
        return buffer
