"""The server's cameras: attached, watched, detached; one that fails takes no other with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Self

from core.errors import CameraError, CameraExists, CameraNotFound, LookoutError, Overloaded
from engine.engine import Engine
from stream.cameras.camera import Camera
from stream.cameras.keeping import Keeping
from stream.cameras.view import CameraView
from stream.cameras.watching import Gate, Watching, Witness
from stream.sources.address import redact
from stream.sources.base import Source

log = logging.getLogger("lookout.camera")

KEEP_S = 5.0  # for the last save of all memories


class Cameras:
    """A registry that runs what is in it. Use as an async context manager.

    Args:
        engine: where memories live.
        watching: how cameras are watched; `fps` may be overridden for each.
        keeping: where memories of cameras that are `kept` are saved; None: nowhere.
    """

    def __init__(self, engine: Engine, watching: Watching, keeping: Keeping | None = None) -> None:
        self._engine = engine
        self._watching = watching
        self._keeping = keeping
        self._cameras: dict[str, Camera] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()  # of detached cameras
        self._listeners: list[Callable[[CameraView], None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._keep_all()
        finally:
            for name in self.names():
                self._remove(name)
            if self._ending:  # all at once: a source that hangs takes its time to close
                await asyncio.wait(self._ending)

    def names(self) -> list[str]:
        """All of them, in order of attaching."""
        return list(self._cameras)

    def get(self, name: str) -> Camera:
        """One of them.

        Raises:
            CameraNotFound: naming those there are.
        """
        if name not in self._cameras:
            known = ", ".join(self._cameras) or "none"
            raise CameraNotFound(f"there is no camera {name!r}; attached are: {known}")
        return self._cameras[name]

    async def attach(
        self,
        name: str,
        source: Callable[[], Source],
        *,
        url: str,
        fps: float | None = None,
        kept: bool = False,
        anyway: bool = False,
        gate: Gate | None = None,
        witness: Witness | None = None,
    ) -> Camera:
        """Add a camera and start to watch it.

        Args:
            name: not taken yet.
            source: makes a source for each connection attempt.
            url: shown, after redaction.
            fps: frames per second; None takes that of all cameras.
            kept: whether its memory is saved, what was saved under its name restored, and what it
                saw written to disk where its archive has no other room; for
                cameras that are there again after a restart, and their owner's own.
            anyway: whether it is watched however little time the others leave.
            gate: awaited before each frame enters; for replays.
            witness: awaited after each segment.

        Raises:
            CameraExists: if the name is taken.
            CapacityExceeded: if no memory is left for one more.
            Overloaded: if no time is left for one more, or others give something up already.
            CameraError: if it was detached meanwhile.
            EngineDead: if the engine ended.
        """
        if name in self._cameras:
            raise CameraExists(f"there is a camera {name!r} already")
        if gate is None and not anyway:
            self._check_all_is_well()
        fps = self._watching.fps if fps is None else fps
        watching = replace(self._watching, fps=fps, anyway=anyway)
        if watching.recalling is not None:
            own = watching.recalling.of(name, on_disk=kept)
            watching = replace(watching, recalling=own)
        camera = Camera(
            name,
            redact(url),
            source,
            self._engine,
            watching,
            on_change=self._tell,
            keeper=self._keeping.keeper(name) if kept and self._keeping is not None else None,
            gate=gate,
            witness=witness,
        )
        self._cameras[name] = camera  # the name is taken from here on
        try:
            await camera.open()
            if self._cameras.get(name) is not camera:
                raise CameraError(f"camera {name} was detached while it was being attached")
        except BaseException:
            if self._cameras.get(name) is camera:
                del self._cameras[name]
            camera.close()
            raise
        self._tasks[name] = asyncio.create_task(self._run(camera), name=f"camera[{name}]")
        return camera

    def check_time(self, name: str, fps: float | None) -> None:
        """Whether there is time for another camera in the place of one, or it needs no more.

        Raises:
            CameraNotFound: if there is none of this name.
            Overloaded: if there is not.
        """
        self.get(name).check_time(self._watching.fps if fps is None else fps)

    def _check_all_is_well(self) -> None:
        """Whatever was estimated: while somebody lags nobody else is let in.

        Raises:
            Overloaded: naming who gives something up.
        """
        views = [camera.view() for camera in self._cameras.values()]
        lagging = [view for view in views if view.state == "live" and view.given_up]
        if lagging:
            names = ", ".join(view.name for view in lagging)
            raise Overloaded(
                f"there is no time for one more: cameras lag and give something up ({names}): try "
                "again when they have recovered, detach one, or lower their frames per second"
            )

    async def detach(self, name: str) -> None:
        """Remove a camera and its memory, saved or not; its answers end.

        Raises:
            CameraNotFound: if there is none of this name.
        """
        camera, task = self._remove(name)
        forgetting = asyncio.create_task(camera.forget(), name=f"camera[{name}].forget")
        self._end(forgetting)
        await asyncio.wait([forgetting] if task is None else [task, forgetting])
        self._tell(camera.view())

    async def finished(self, name: str) -> None:
        """Wait until a camera's source has ended and all of it is in memory (files only end)."""
        await asyncio.wait([self._tasks[name]])

    def failure(self, name: str) -> LookoutError | None:
        """What ended a camera that is finished, if it was an error."""
        task = self._tasks.get(name)
        if task is None or not task.done() or task.cancelled():
            return None
        error = task.exception()
        return error if isinstance(error, LookoutError) else None

    def subscribe(self, listener: Callable[[CameraView], None]) -> Callable[[], None]:
        """Call `listener` on every change of a camera's state; returns how to stop that."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    async def _run(self, camera: Camera) -> None:
        """Watch one camera; its end, whatever the cause, is its own."""
        try:
            await camera.run()
        except BaseExceptionGroup as group:
            known, others = group.split(LookoutError)
            if others is not None:
                log.exception("camera %s failed", camera.name)
                raise
            assert known is not None
            log.error("camera %s: %s", camera.name, _first(known))
            raise _first(known) from None
        finally:
            self._tell(camera.view())

    def _remove(self, name: str) -> tuple[Camera, asyncio.Task[None] | None]:
        """Take a camera out and begin to end it; its task is ours until it has ended."""
        camera = self.get(name)
        task = self._tasks.pop(name, None)
        del self._cameras[name]
        camera.close()
        if task is not None:
            self._end(task)
            task.cancel()
        return camera, task

    def _end(self, task: asyncio.Task[None]) -> None:
        self._ending.add(task)
        task.add_done_callback(self._forget)

    async def _keep_all(self) -> None:
        """The last save, while memories are still there; a disk that hangs holds nobody up."""
        try:
            async with asyncio.timeout(KEEP_S), asyncio.TaskGroup() as group:
                for name, camera in self._cameras.items():
                    group.create_task(camera.keep(), name=f"camera[{name}].keep")
        except TimeoutError:
            log.warning("not all memories were saved within %g s; the saves before stand", KEEP_S)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._ending.discard(task)
        if not task.cancelled():
            task.exception()  # it was logged when it happened

    def _tell(self, view: CameraView) -> None:
        for listener in list(self._listeners):
            listener(view)


def _first(group: BaseExceptionGroup[LookoutError]) -> LookoutError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, LookoutError)
    return error
