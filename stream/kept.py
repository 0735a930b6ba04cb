"""What pruning kept, as pictures: kept places as they are, dropped ones dim."""

from __future__ import annotations

import asyncio
from collections import deque
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import CameraError, ConfigError
from core.frames import Frame, Segment
from core.kept import KeptStep

DIM: Final = 0.3  # brightness of what was dropped
_WAITING: Final = 256  # frames held for steps that are not decided yet; the oldest gives way
_QUALITY: Final = 90


class KeptPictures:
    """Saves a picture of every temporal step that enters memory, named by its stream time.

    The picture is the first frame of the step. Files of the same name are overwritten; nothing is
    ever removed, so a long stream fills the disk.

    Args:
        folder: where to; made if it is not there.

    Raises:
        ConfigError: if it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"--save-kept {folder}: {_why(error)}") from None
        self._folder = folder
        self._waiting: deque[Frame] = deque(maxlen=_WAITING)

    async def __call__(self, segment: Segment | None, steps: tuple[KeptStep, ...]) -> None:
        """Save what entered memory; see `stream.cameras.camera.Witness`.

        Raises:
            CameraError: if a picture cannot be written.
        """
        if segment is not None:
            self._waiting.extend(segment.frames)
        for step in steps:
            frame = self._first_frame(step)
            if frame is not None:
                await asyncio.to_thread(self._save, frame.pixels, step)

    def _first_frame(self, step: KeptStep) -> Frame | None:
        """The newest frame up to the middle of the step; those before it are let go."""
        found = None
        while self._waiting and self._waiting[0].pts <= step.time:
            found = self._waiting.popleft()
        return found

    def _save(self, pixels: NDArray[np.uint8], step: KeptStep) -> None:
        size = step.rows * step.columns
        path = self._folder / f"{step.time:010.3f}s-{len(step.cells)}of{size}.jpg"
        bgr = cv2.cvtColor(lit(pixels, step), cv2.COLOR_RGB2BGR)
        _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        try:
            path.write_bytes(data.tobytes())
        except OSError as error:
            raise CameraError(f"--save-kept {self._folder}: {_why(error)}") from None


def lit(pixels: NDArray[np.uint8], step: KeptStep) -> NDArray[np.uint8]:
    """The picture with what was dropped dim.

    Args:
        pixels: RGB, [height, width, 3]; of any size, the grid lies over the whole of it.
        step: what was kept.

    Returns:
        a new picture of the same size.
    """
    light = np.full(step.rows * step.columns, DIM, np.float32)
    light[list(step.cells)] = 1.0
    height, width = pixels.shape[:2]
    mask = cv2.resize(
        light.reshape(step.rows, step.columns), (width, height), interpolation=cv2.INTER_NEAREST
    )
    picture: NDArray[np.uint8] = (pixels * mask[:, :, None]).astype(np.uint8)
    return picture


def _why(error: OSError) -> str:
    return (error.strerror or "cannot be written").lower()
