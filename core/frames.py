"""Frames and segments: what a camera delivers. Knows nothing of files, sockets or models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded picture of a camera."""

    pts: float  # media time in seconds; strictly increasing inside a camera
    arrived: float  # monotonic clock in seconds, when decoding finished
    pixels: NDArray[np.uint8]  # [height, width, 3] RGB


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Consecutive sampled frames of one camera, encoded and remembered together."""

    index: int
    frames: tuple[Frame, ...]  # at least one; pts strictly increasing; all of one size

    def __post_init__(self) -> None:
        if not self.frames:
            raise ValueError("a segment holds at least one frame")
        shape = self.frames[0].pixels.shape
        for before, after in zip(self.frames, self.frames[1:], strict=False):
            if not after.pts > before.pts:
                raise ValueError(f"pts must increase: {before.pts} then {after.pts}")
            if after.pixels.shape != shape:
                raise ValueError(
                    f"frames of one segment share a size: {shape} then {after.pixels.shape}"
                )
