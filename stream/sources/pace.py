"""How fast a recording is played: as time passes, or as fast as it can be decoded."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod

_MAX_JUMP_S = 10.0
_MAX_LAG_S = 1.0


class Pacer(ABC):
    """Holds a decode thread back until a frame is due."""

    @abstractmethod
    def wait(self, pts: float, stop: threading.Event) -> None:
        """Returns when the frame at `pts` seconds may be delivered, or as soon as `stop` is set."""


class Unpaced(Pacer):
    """Delivers at once: cameras, which set the pace themselves, and files at full speed."""

    def wait(self, pts: float, stop: threading.Event) -> None:
        """Returns at once."""


class Realtime(Pacer):
    """Delivers by pts against the monotonic clock, from the first frame on.

    After a jump of pts, or when decoding has fallen behind, the present frame is due now and the
    clock runs on from it: lost time is not caught up in a burst.
    """

    def __init__(self) -> None:
        self._start: float | None = None  # monotonic time at which pts 0 was due

    def wait(self, pts: float, stop: threading.Event) -> None:
        """Waits for the frame's moment."""
        now = time.monotonic()
        if self._start is not None:
            delay = self._start + pts - now
            if -_MAX_LAG_S < delay < _MAX_JUMP_S:
                if delay > 0:
                    stop.wait(delay)
                return
        self._start = now - pts


class Pace(ABC):
    """The choice a caller makes for files and rendered scenes."""

    lossless: bool

    @abstractmethod
    def pacer(self) -> Pacer:
        """A fresh pacer for one source."""


class RealtimePace(Pace):
    """Plays as time passes; a reader that is too slow loses the oldest frames, as with a camera."""

    lossless = False

    def pacer(self) -> Pacer:
        """Waits for each frame's moment."""
        return Realtime()


class MaxPace(Pace):
    """Plays as fast as the reader takes frames; none is lost, the decoder is held back instead."""

    lossless = True

    def pacer(self) -> Pacer:
        """Never waits."""
        return Unpaced()
