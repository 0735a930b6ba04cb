"""What the server needs of cameras; `stream.cameras.registry` has it, tests have a smaller one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.frames import Frame
from engine.requests import Noted
from memory.saving.manifest import Manifest
from stream.cameras.answer import Answer, Question
from stream.cameras.view import CameraView
from stream.sources.base import Source


class CameraSeam(Protocol):
    """One camera. All calls are made on the event loop's thread; but `save` return at once."""

    @property
    def name(self) -> str:
        """Unique among the server's cameras."""

    def view(self) -> CameraView:
        """Its state and numbers now."""

    def notes(self) -> tuple[Noted, ...]:
        """What the model wrote down about it, oldest first."""

    def latest(self) -> Frame | None:
        """The newest frame, for previews; None before the first one."""

    def truth(self) -> dict[str, Any] | None:
        """What really happens in a rendered scene; None for real cameras."""

    def ask(self, question: Question) -> Answer:
        """Start an answer.

        Raises:
            QuestionTooLong: if it does not fit the model.
            Busy: if too many answers are being given.
            CameraBlind: if nothing has been seen yet.
        """

    async def save(self) -> Manifest:
        """Write its memory to disk now.

        Raises:
            Unsupported: if memories of cameras like this one are not saved.
            CameraBlind: if nothing has been seen yet.
            Busy: if it is just being saved.
            MemoryNotSaved: if the disk does not take it.
        """

    def push(self, pixels: NDArray[np.uint8], captured_at: float | None = None) -> object:
        """Hand in a frame, and when it was taken; only where the source is a `PushSource`."""


class CamerasSeam(Protocol):
    """The server's cameras."""

    def names(self) -> list[str]:
        """All of them, in order of attaching."""

    def get(self, name: str) -> CameraSeam:
        """One of them.

        Raises:
            CameraNotFound: if there is none of this name.
        """

    async def attach(
        self,
        name: str,
        source: Callable[[], Source],
        *,
        url: str,
        fps: float | None = None,
        anyway: bool = False,
    ) -> CameraSeam:
        """Add a camera and start to watch it.

        Args:
            name: not taken yet.
            source: makes a source for each connection attempt.
            url: shown, after redaction.
            fps: frames per second; None takes the configured rate.
            anyway: whether it is watched however little time the others leave.

        Raises:
            CameraExists: if the name is taken.
            CapacityExceeded: if no memory is left for one more.
            Overloaded: if no time is left for one more.
            ConfigError: if the source cannot be made.
        """

    def check_time(self, name: str, fps: float | None) -> None:
        """Whether there is time for another camera in the place of one, or it needs no more.

        Raises:
            CameraNotFound: if there is none of this name.
            Overloaded: if there is not.
        """

    async def detach(self, name: str) -> None:
        """Remove a camera and its memory.

        Raises:
            CameraNotFound: if there is none of this name.
        """

    def subscribe(self, listener: Callable[[CameraView], None]) -> Callable[[], None]:
        """Call `listener` on every change of a camera's state; returns how to stop that."""
