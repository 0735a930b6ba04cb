"""The media time of each decoded frame, also where the stream does not say it."""

from __future__ import annotations

import time


class FrameClock:
    """Turns what a decoder says about time into seconds that may be relied on.

    The first frame of an RTSP stream, and every frame of a bare elementary stream, has no time:
    such a frame stands one frame period after the one before it. A looping file goes on where the
    pass before it ended.

    Args:
        wall: the stream has no clock of its own (MJPEG over HTTP); its time is the arrival.
    """

    def __init__(self, *, wall: bool = False) -> None:
        self._wall = wall
        self._base = 0.0
        self._start: float | None = None  # first time of this pass
        self._last: float | None = None  # on the output axis
        self._period = 0.0

    def time_of(self, stamp: float | None, rate: float) -> float:
        """Seconds of the next decoded frame.

        Args:
            stamp: the decoder's time, None when it has none.
            rate: frames per second, to fill gaps.
        """
        self._period = 1 / rate
        if self._wall:
            stamp = time.monotonic()
        if stamp is None:
            self._last = self._base if self._last is None else self._last + self._period
            return self._last
        if self._start is None:
            self._start = stamp if self._base else 0.0
        self._last = stamp - self._start + self._base
        return self._last

    def new_pass(self) -> None:
        """The stream begins again; its first frame follows the last one of this pass."""
        if self._last is not None:
            self._base = self._last + self._period
        self._start = None
        self._last = None
