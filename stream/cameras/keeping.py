"""What keeps a camera's memory over a restart: read when it starts, written while it watches.

The engine copies a memory to the host between two of its steps; reading and writing run on threads
of their own, so neither watching nor answering ever waits for a disk.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from core.errors import (
    Busy,
    ConfigError,
    LookoutError,
    MemoryDamaged,
    MemoryForeign,
    MemoryNotSaved,
)
from memory.saving.fit import Fit
from memory.saving.lock import FolderTaken, alone
from memory.saving.manifest import Manifest
from memory.saving.shelf import Saved, Shelf
from memory.saving.state import MemoryState
from stream.cameras.apart import apart

log = logging.getLogger("lookout.memory")

RETRY_S = 1.0
PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Keeping:
    """Where memories are kept and how often; one for all cameras.

    Args:
        folder: of all cameras.
        every_s: seconds between two saves of a camera at least; it is saved when it has seen more.
        fit: what a saved memory must suit.
    """

    folder: Path
    every_s: float
    fit: Fit

    def prepare(self) -> None:
        """Make the folder.

        Raises:
            ConfigError: if it cannot be had.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"memory.save.folder: cannot be made: {error.strerror or 'I/O error'}"
            ) from None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """The folder is this server's, as long as it runs.

        Raises:
            ConfigError: if another one uses it, or it cannot be locked.
        """
        with ExitStack() as held:
            try:
                held.enter_context(alone(self.folder))
            except FolderTaken as error:
                by = "" if error.owner is None else f" (process {error.owner})"
                raise ConfigError(
                    f"memory.save.folder: another Lookout{by} saves there: give each a folder of "
                    "its own, or stop the other one"
                ) from None
            except OSError as error:
                raise ConfigError(
                    f"memory.save.folder: cannot be locked: {error.strerror or 'I/O error'}"
                ) from None
            yield

    def keeper(self, camera: str) -> Keeper:
        """That of one camera."""
        return Keeper(camera, Shelf(self.folder, camera, self.fit), self.every_s)


@dataclass(frozen=True, slots=True)
class StreamClock:
    """Where a camera's stream seconds stand on the clocks of the machine."""

    newest: float  # stream seconds of the newest frame remembered
    arrived: float  # monotonic seconds

    @property
    def second_zero(self) -> float:
        """Unix time of stream second 0."""
        return time.time() - (time.monotonic() - self.arrived) - self.newest

    @staticmethod
    def of(manifest: Manifest) -> StreamClock:
        """The clock that a saved one goes on as.

        The newest frame came as long ago as the wall clock says; a wall clock that was set back
        says nothing, and the stream then goes on where it ended.
        """
        age = max(0.0, time.time() - manifest.second_zero - manifest.newest)
        return StreamClock(manifest.newest, time.monotonic() - age)


class Memory(Protocol):
    """What a keeper needs of a camera."""

    async def state(self) -> MemoryState:
        """What it remembers now.

        Raises:
            LookoutError: if it cannot be said.
        """

    def clock(self) -> StreamClock:
        """Where its stream stands."""


class Keeper:
    """Saves one camera's memory and reads it when the camera starts. For one event loop.

    Attributes:
        restored: what became of the memory that was saved earlier; empty if there was none.
        problem: why the newest save failed; empty if it did not.

    Args:
        camera: its name.
        shelf: where its memory lies.
        every_s: seconds between two saves at least.
        patience_s: after which a removal is left to the disk.
    """

    def __init__(
        self, camera: str, shelf: Shelf, every_s: float, patience_s: float = PATIENCE_S
    ) -> None:
        self.restored = ""
        self.problem = ""
        self._camera = camera
        self._shelf = shelf
        self._every_s = every_s
        self._patience_s = patience_s
        self._lock = asyncio.Lock()
        self._asked = False

    @property
    def saving(self) -> bool:
        """Whether a save is under way."""
        return self._lock.locked()

    @property
    def pause_s(self) -> float:
        """Seconds to wait until the next save; what failed is not tried again at once."""
        return max(self._every_s, RETRY_S) if self.problem else self._every_s

    async def read(self) -> Saved | None:
        """What was saved earlier; None if there is nothing, or what there is was refused."""
        try:
            saved = await apart(self._shelf.read)
        except (MemoryDamaged, MemoryForeign) as error:
            await self.refuse(str(error))
            return None
        except Exception as error:  # our mistake, or no room; the camera watches all the same
            log.exception("camera %s: reading its saved memory failed", self._camera)
            await self.refuse(f"it could not be read: {type(error).__name__}")
            return None
        if saved is not None:
            manifest = saved.manifest
            self.restored = f"restored {manifest.held} tokens up to {manifest.newest:.1f} s"
            log.info("camera %s: %s", self._camera, self.restored)
        return saved

    async def write(self, memory: Memory) -> Manifest:
        """Save what a memory holds when the save before is over.

        Raises:
            MemoryNotSaved: if the disk would not take it.
            LookoutError: if the memory cannot be copied.
        """
        async with self._lock:
            try:
                state = await memory.state()
                clock = memory.clock()
                newest = max(clock.newest, state.newest or 0.0)
                manifest = await apart(partial(self._shelf.write, state, newest, clock.second_zero))
            except LookoutError as error:
                self._complain(str(error))
                raise
            except Exception as error:  # our mistake, but watching goes on
                log.exception("camera %s: saving its memory failed", self._camera)
                self._complain(f"saving failed: {type(error).__name__}")
                raise MemoryNotSaved(self.problem) from None
            self._complain("")
            return manifest

    async def write_asked(self, memory: Memory) -> Manifest:
        """As `write`, for somebody who asked for it; one at a time.

        Raises:
            Busy: if somebody else's is under way.
        """
        if self._asked:
            raise Busy(f"the memory of {self._camera} is just being saved; try again")
        self._asked = True
        try:
            return await self.write(memory)
        finally:
            self._asked = False

    async def clear(self) -> None:
        """Remove what was saved: the camera is gone, and its memory with it."""
        try:
            async with asyncio.timeout(self._patience_s):
                await apart(self._shelf.clear)
        except OSError as error:  # of which TimeoutError is one
            why = error.strerror or "the disk does not answer"
            log.error("camera %s: its saved memory was not removed: %s", self._camera, why)

    async def refuse(self, why: str) -> None:
        """Put the newest save aside, and say why: the camera starts without it."""
        self.restored = f"refused: {why}"
        log.warning("camera %s starts empty: its saved memory was put aside: %s", self._camera, why)
        await apart(self._shelf.put_aside)

    def _complain(self, problem: str) -> None:
        if problem and problem != self.problem:  # not one line for each save, for days
            log.warning("camera %s: %s", self._camera, problem)
        self.problem = problem
