"""Where clients add and remove cameras: who may, what may be opened, and who is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from core.errors import LookoutError
from memory.saving.manifest import Manifest
from stream.access.auth import Identity
from stream.access.targets import check_target
from stream.cameras.seam import CameraSeam, CamerasSeam
from stream.sources import Sources, redact


class Desk:
    """Attaches and detaches cameras on behalf of clients.

    Args:
        cameras: the server's.
        allowed_targets: private hosts and networks that cameras may point to.
        loopback_only: the server is reachable from this machine only.
        sources: makes sources of URLs.
    """

    def __init__(
        self,
        cameras: CamerasSeam,
        *,
        allowed_targets: Iterable[str] = (),
        loopback_only: bool = True,
        sources: Sources | None = None,
    ) -> None:
        self._cameras = cameras
        self._allowed = tuple(allowed_targets)
        self._loopback_only = loopback_only
        self._sources = sources or Sources()
        self._listeners: set[Callable[[str], None]] = set()

    async def attach(
        self, identity: Identity, name: str, url: str, fps: float | None
    ) -> CameraSeam:
        """Add a camera by URL.

        Raises:
            Forbidden: if the client or the address may not.
            ConfigError: if the URL is not understood.
            CameraExists: if the name is taken.
            CapacityExceeded: if there is no room.
            Overloaded: if there is no time.
        """
        identity.require_admin("adding a camera by URL")
        await self._check(url)
        return await self._attach(name, url, fps)

    async def replace(
        self, identity: Identity, name: str, url: str, fps: float | None
    ) -> CameraSeam:
        """Give a camera another source; its memory starts anew.

        Raises:
            CameraNotFound: if there is none of this name; and as `attach`. The camera stays as it
                is, unless somebody else took its name or its memory meanwhile.
        """
        identity.require_admin("changing a camera")
        self._cameras.get(name)
        await self._check(url)
        self._cameras.check_time(name, fps)
        await self._cameras.detach(name)
        try:
            return await self._attach(name, url, fps, anyway=True)
        except LookoutError:
            self.tell_detached(name)
            raise

    async def detach(self, identity: Identity, name: str) -> None:
        """Remove a camera and its memory, and tell the listeners.

        Raises:
            Forbidden: if the client may not.
            CameraNotFound: if there is none of this name.
        """
        identity.require_admin("removing a camera")
        await self._cameras.detach(name)
        self.tell_detached(name)

    async def save(self, identity: Identity, name: str) -> Manifest:
        """Write a camera's memory to disk now.

        Raises:
            Forbidden: if the client may not.
            CameraNotFound: if there is none of this name.
            LookoutError: as `CameraSeam.save`.
        """
        identity.require_admin("saving a camera's memory")
        return await self._cameras.get(name).save()

    def tell_detached(self, name: str) -> None:
        """Tell all listeners that a camera is gone."""
        for listener in list(self._listeners):
            listener(name)

    def on_detached(self, listener: Callable[[str], None]) -> Callable[[], None]:
        """Call `listener` with the name of each camera that goes; returns how to stop that."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    async def _attach(
        self, name: str, url: str, fps: float | None, *, anyway: bool = False
    ) -> CameraSeam:
        return await self._cameras.attach(
            name, self._sources.of(url), url=redact(url), fps=fps, anyway=anyway
        )

    async def _check(self, url: str) -> None:
        await check_target(url, self._allowed, loopback_only=self._loopback_only)
        self._sources.of(url)  # refuses what it does not understand; opens nothing yet
