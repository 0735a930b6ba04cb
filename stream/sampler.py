"""Which frames of a stream are taken, decided by media time alone.

A grid of 1/fps seconds is laid from the first frame on and one frame is taken of each cell, so
that variable frame rates, bursts and lost frames never skew time.
"""

from __future__ import annotations

import math

# The first frame lies a little under half a cell deep in its cell. At equal rates a frame may then
# come almost half a period early or late and still has its own cell, and the common ratios (1/2,
# 1/3, 2/5) do not fall on a border where rounding would decide.
_SHIFT = 0.45
_RESTART_S = 1.0  # steps back by less are disorder; by more, a new clock


class Sampler:
    """Takes at most `fps` frames per second of media time.

    Args:
        fps: frames per second wanted, positive. A stream that has fewer is taken whole.

    Raises:
        ValueError: if `fps` is not a positive finite number.
    """

    def __init__(self, fps: float) -> None:
        if not (math.isfinite(fps) and fps > 0):
            raise ValueError(f"fps must be a positive number, not {fps}")
        self.fps = fps
        self._origin: float | None = None
        self._latest = -math.inf
        self._cell = 0

    def wants(self, pts: float) -> bool:
        """Whether the frame at `pts` seconds is taken; asking takes it."""
        restart = max(_RESTART_S, 1 / self.fps)
        if self._origin is None or pts < self._latest - restart:
            self._origin, self._latest, self._cell = pts, pts, 0
            return True
        self._latest = max(self._latest, pts)
        cell = math.floor((pts - self._origin) * self.fps + _SHIFT)
        if cell <= self._cell:
            return False
        self._cell = cell
        return True
