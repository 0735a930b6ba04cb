"""Frames and segments: what a camera delivers. Knows nothing of files, sockets or models."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BT601 = (0.299, 0.114)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Surface:
    """A picture as a decoder on an accelerator left it there: brightness, and colour at half size.

    Eight bits, 4:2:0, interleaved (NV12). Nobody writes to it; the memory is the decoder's again as
    soon as the surface is let go of.
    """

    luma: Tensor  # uint8 [height, width], both even
    chroma: Tensor  # uint8 [height / 2, width / 2, 2], blue before red
    weights: tuple[float, float] = BT601  # of red and blue in the brightness
    full_range: bool = False  # brightness in 0 to 255, not in 16 to 235
    quarter_turns: int = 0  # against the clock, until it stands upright
    written: torch.cuda.Event | None = None  # comes after the decoder in the device's queue


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded picture of a camera."""

    pts: float  # media time in seconds; strictly increasing inside a camera
    arrived: float  # monotonic clock in seconds, when decoding finished
    pixels: NDArray[np.uint8]  # [height, width, 3] RGB
    surface: Surface | None = None  # the same picture on the device, where it was decoded there

    def showing(self, pixels: NDArray[np.uint8]) -> Frame:
        """The same moment with another picture.

        Args:
            pixels: RGB [height, width, 3].
        """
        return replace(self, pixels=pixels, surface=None)


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
