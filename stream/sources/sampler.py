"""Which frames of a stream are taken, decided by media time alone.

A grid of 1/fps seconds is laid from the first frame on, and of each cell the frame nearest to its
beginning is taken, so that variable frame rates, bursts and lost frames never skew time.
"""

from __future__ import annotations

import math

_RESTART_S = 1.0  # steps back by less are disorder; by more, a new clock
_SMOOTHING = 0.1
# A little under half, so that where two frames are equally near rounding does not decide.
_NEAREST = 0.45


class Sampler:
    """Takes at most `fps` frames per second of media time.

    A frame may come early by almost half a frame period of the stream and still belongs to the
    next cell: jitter does not cost frames, also where both rates are equal.

    Args:
        fps: frames per second wanted, positive. A stream that has fewer is taken whole.

    Raises:
        ValueError: if `fps` is not a positive finite number.
    """

    def __init__(self, fps: float) -> None:
        if not (math.isfinite(fps) and fps > 0):
            raise ValueError(f"fps must be a positive number, not {fps}")
        self.fps = fps
        self._laid = fps  # what the grid was laid by
        self._origin: float | None = None
        self._latest = 0.0
        self._interval = 0.0  # frame period of the stream, at most that of the grid; 0: unknown
        self._cell = 0

    def retune(self, fps: float) -> None:
        """Take so many frames per second from the frame taken last on; from any thread.

        Raises:
            ValueError: if `fps` is not a positive finite number.
        """
        if not (math.isfinite(fps) and fps > 0):
            raise ValueError(f"fps must be a positive number, not {fps}")
        self.fps = fps

    def wants(self, pts: float) -> bool:
        """Whether the frame at `pts` seconds is taken; asking takes it."""
        self._lay_anew()
        restart = max(_RESTART_S, 1 / self._laid)
        if self._origin is None or pts < self._latest - restart:
            self._origin, self._latest, self._cell = pts, pts, 0
            return True
        self._measure(pts)
        early = _NEAREST * self._interval * self._laid
        cell = math.floor((pts - self._origin) * self._laid + early)
        if cell <= self._cell:
            return False
        self._cell = cell
        return True

    def _lay_anew(self) -> None:
        """Where the rate was changed: a grid of that rate, from the cell taken last on."""
        fps = self.fps
        if fps != self._laid:
            if self._origin is not None:
                self._origin += self._cell / self._laid
            self._cell, self._laid = 0, fps
            self._interval = min(self._interval, 1 / fps)

    def _measure(self, pts: float) -> None:
        if pts <= self._latest:
            return
        interval = min(pts - self._latest, 1 / self._laid)
        self._latest = pts
        weight = _SMOOTHING if self._interval else 1.0
        self._interval += weight * (interval - self._interval)
