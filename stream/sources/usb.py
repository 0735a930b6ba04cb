"""Capture devices on this machine, through OpenCV."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2

from core.frames import Frame
from stream.sources.base import SourceInfo, SourceStats
from stream.sources.failures import unavailable
from stream.sources.sampler import Sampler
from stream.sources.thread import Reader

_MAX_FAILED_READS = 3


class UsbReader(Reader):
    """One capture device; its pts are the time of arrival, as it has no clock of its own.

    Args:
        device: number of the device, or its path (`/dev/video0`).
        label: safe to show.
    """

    def __init__(self, device: int | str, label: str) -> None:
        self._device = device
        self._label = label
        self._capture: cv2.VideoCapture | None = None

    def open(self) -> SourceInfo:
        """Opens the device. Raises SourceUnavailable with what is there instead."""
        self._check_present()
        self._capture = cv2.VideoCapture(self._device)
        if not self._capture.isOpened():
            raise unavailable(
                self._label,
                "refused",
                "the capture device cannot be opened; another program may be using it, or this "
                "user may not (on Linux: join the group 'video')",
            )
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # old frames are worth nothing
        return SourceInfo(
            codec="raw",
            width=int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            height=int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
            fps=self._capture.get(cv2.CAP_PROP_FPS) or None,
        )

    def frames(
        self, sampler: Sampler, stats: SourceStats, stop: threading.Event
    ) -> Iterator[Frame]:
        """Sampled frames until the device goes away or `stop`."""
        if self._capture is None:
            raise RuntimeError("the reader is not open")
        failed = 0
        while not stop.is_set():
            if not self._capture.grab():
                failed += 1
                if failed >= _MAX_FAILED_READS:
                    raise unavailable(self._label, "ended", "the capture device has gone away")
                continue
            failed = 0
            arrived = time.monotonic()
            stats.decoded += 1
            if not sampler.wants(arrived):
                continue
            read, picture = self._capture.retrieve()
            if not read:
                stats.damaged += 1
                continue
            yield Frame(arrived, time.monotonic(), cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))

    def close(self) -> None:
        """Gives the device back."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _check_present(self) -> None:
        """On Linux devices are files: says which there are before OpenCV prints its guesses."""
        folder = Path("/dev")
        if not folder.is_dir():
            return
        path = folder / f"video{self._device}" if isinstance(self._device, int) else self._device
        if not Path(path).exists():
            there = ", ".join(sorted(str(p) for p in folder.glob("video*"))) or "none"
            raise unavailable(
                self._label, "not_found", f"no capture device {path} (there are: {there})"
            )
