"""Frames that one client sends over its websocket: the client becomes a camera.

Loss rule: of each camera one frame waits to be decoded; a newer one takes its place, and how many
gave way is told at most once a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core.errors import CameraNotFound, Forbidden, FrameError, LookoutError
from core.events import Error, ImageDropped, ImageLookout, ServerEvent
from stream.cameras.seam import CameraSeam, CamerasSeam
from stream.conversations import pictures
from stream.conversations.wire import error_body
from stream.sources.push import PushSource

MAX_OWN_CAMERAS = 4
TELL_EVERY_S = 1.0
Loss = Literal["superseded", "cleared"]


@dataclass(frozen=True, slots=True)
class Picture:
    """An undecoded frame and the event it came with."""

    data: bytes
    captured_at: float | None  # seconds on the sender's clock
    event_id: str | None


class Inlet:
    """Takes a client's frames, decodes them off the event loop and hands them to its cameras.

    Args:
        cameras: where the client's own cameras are attached, and detached on leaving.
        put: takes events for the client.
    """

    def __init__(self, cameras: CamerasSeam, put: Callable[[ServerEvent], None]) -> None:
        self._cameras = cameras
        self._put = put
        self._own: dict[str, CameraSeam] = {}
        self._waiting: dict[str, Picture] = {}
        self._lost: Counter[tuple[str, Loss]] = Counter()
        self._told = 0.0
        self._arrived = asyncio.Event()

    async def offer(self, about: ImageLookout, data: bytes, event_id: str | None) -> None:
        """Take a frame; the first one of a camera attaches it.

        Args:
            about: which camera, and when it was taken.
            data: JPEG or PNG.
            event_id: named in the error if it cannot be read.

        Raises:
            FrameError: if it is empty, or its time is none.
            CameraExists: if the name belongs to somebody else's camera.
            CapacityExceeded: if there is no room for one more camera.
            Forbidden: if the client has too many cameras.
        """
        if not data:
            raise FrameError("the image is empty (0 bytes); send a JPEG file")
        camera = about.camera
        taken = _seconds(about.captured_at)
        if camera not in self._own:
            await self._attach(camera)
        if camera in self._waiting:
            self._lost[camera, "superseded"] += 1
        self._waiting[camera] = Picture(data, taken, event_id)
        self._arrived.set()

    def clear(self) -> None:
        """Forget what waits."""
        self._lost.update((camera, "cleared") for camera in self._waiting)
        self._waiting.clear()
        self._tell(at_once=True)

    def owns(self, camera: str) -> bool:
        """Whether the camera is this client's; not any more if an admin gave its name away."""
        own = self._own.get(camera)
        try:
            return own is not None and self._cameras.get(camera) is own
        except CameraNotFound:
            return False

    async def detach(self, camera: str) -> None:
        """Remove one of the client's cameras."""
        self._waiting.pop(camera, None)
        theirs = self.owns(camera)
        self._own.pop(camera, None)
        if theirs:
            with contextlib.suppress(CameraNotFound):  # an admin was faster
                await self._cameras.detach(camera)

    async def close(self) -> list[str]:
        """Remove all of the client's cameras; returns which. Idempotent."""
        own = list(self._own)
        for camera in own:
            await self.detach(camera)
        return own

    async def run(self) -> None:
        """Decode and hand on until cancelled."""
        while True:
            self._arrived.clear()
            self._tell()
            while self._waiting:
                camera = next(iter(self._waiting))
                await self._show(camera, self._waiting.pop(camera))
            await self._arrived.wait()

    async def _attach(self, name: str) -> None:
        if len(self._own) >= MAX_OWN_CAMERAS:
            raise Forbidden(f"one connection may be {MAX_OWN_CAMERAS} cameras at most")
        source = PushSource(f"websocket {name}")
        self._own[name] = await self._cameras.attach(name, lambda: source, url="push:")

    async def _show(self, name: str, picture: Picture) -> None:
        try:
            pixels = await asyncio.to_thread(pictures.decode, picture.data)
            camera = self._own.get(name)
            if camera is not None:
                camera.push(pixels, picture.captured_at)
        except LookoutError as error:
            self._put(Error(error=error_body(error, event_id=picture.event_id, param="image")))

    def _tell(self, *, at_once: bool = False) -> None:
        if not self._lost or (time.monotonic() - self._told < TELL_EVERY_S and not at_once):
            return
        self._told = time.monotonic()
        for (camera, reason), dropped in self._lost.items():
            self._put(ImageDropped(camera=camera, dropped=dropped, reason=reason))
        self._lost.clear()


def _seconds(taken: datetime | None) -> float | None:
    try:
        return taken.timestamp() if taken else None
    except (ValueError, OverflowError):  # the year 1, say, which no clock of ours reaches
        raise FrameError(f"captured_at {taken} is no time that a picture can have") from None
