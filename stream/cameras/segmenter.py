"""Frames to segments: whole temporal steps, closed early at a cut.

A segment closes as soon as somebody can take it and at least one temporal step is whole, so a free
engine adds no delay and a busy one gets longer segments, up to `max_steps`.
"""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from core.frames import Frame, Segment

THUMBNAIL = (32, 32)


class Segmenter:
    """Groups one camera's frames. Plain and synchronous.

    Args:
        frames_per_step: frames of a temporal step (2 for Qwen-VL).
        max_steps: most temporal steps of a segment.
        cut_threshold: mean absolute change of brightness between two frames, 0 to 1, from which on
            they belong to different segments.
    """

    def __init__(self, frames_per_step: int, max_steps: int, cut_threshold: float) -> None:
        if frames_per_step < 1 or max_steps < 1:
            raise ValueError(f"{frames_per_step} frames per step, {max_steps} steps: at least 1")
        self._frames_per_step = frames_per_step
        self._most = frames_per_step * max_steps
        self._threshold = cut_threshold
        self._closed: deque[list[Frame]] = deque()  # ended by a cut or a change of size
        self._open: list[Frame] = []
        self._thumbnail: NDArray[np.float32] | None = None
        self._index = 0

    def add(self, frame: Frame) -> None:
        """Take the next frame; pts must rise."""
        thumbnail = _thumbnail(frame.pixels)
        if self._open and self._ends_before(frame, thumbnail):
            self._closed.append(self._open)
            self._open = []
        self._thumbnail = thumbnail
        self._open.append(frame)

    def take(self, *, final: bool = False) -> Segment | None:
        """The next segment, or None until a temporal step is whole.

        Args:
            final: also give what is left when the stream ends; half a step is then a segment.
        """
        if self._closed:
            frames = self._closed[0][: self._most]
            rest = self._closed[0][self._most :]
            if rest:
                self._closed[0] = rest
            else:
                self._closed.popleft()
            return self._segment(frames)
        whole = len(self._open) // self._frames_per_step * self._frames_per_step
        count = min(len(self._open) if final else whole, self._most)
        if count == 0:
            return None
        frames, self._open = self._open[:count], self._open[count:]
        return self._segment(frames)

    def _ends_before(self, frame: Frame, thumbnail: NDArray[np.float32]) -> bool:
        if frame.pixels.shape != self._open[-1].pixels.shape or self._thumbnail is None:
            return True
        return float(np.abs(thumbnail - self._thumbnail).mean()) > self._threshold

    def _segment(self, frames: list[Frame]) -> Segment:
        self._index += 1
        return Segment(self._index - 1, tuple(frames))


def _thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Brightness in [0, 1], small enough that noise averages out, float32 [32, 32]."""
    small = cv2.resize(pixels, THUMBNAIL, interpolation=cv2.INTER_AREA)
    return np.asarray(small.mean(axis=2, dtype=np.float32) / 255, np.float32)
