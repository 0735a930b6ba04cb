"""Folders on disk for what cameras' archives have no room for in memory."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

from core.errors import ConfigError
from engine.recalling import Drawer
from memory.recall.disk import clear
from memory.saving.lock import FolderTaken, alone
from stream.cameras.apart import apart

log = logging.getLogger("lookout.archive")

PATIENCE_S = 10.0
EXIT_S = 2.0


@contextmanager
def held(drawer: Drawer | None) -> Iterator[None]:
    """The folder of all cameras' drawers is this server's, as long as it runs.

    What is there is removed before and after, unless it lasts: then each camera's archive keeps
    what its saved memory refers to.

    Raises:
        ConfigError: if another server uses it, or it cannot be had.
    """
    with ExitStack() as stack:
        if drawer is not None:
            try:
                drawer.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                stack.enter_context(alone(drawer.folder))
                if not drawer.lasting:
                    for left in drawer.all():
                        clear(left)
            except FolderTaken as error:
                by = "" if error.owner is None else f" (process {error.owner})"
                raise ConfigError(
                    f"memory.archive.folder: another Lookout{by} uses it: give each a folder of "
                    "its own, or stop the other one"
                ) from None
            except OSError as error:
                raise ConfigError(
                    f"memory.archive.folder: cannot be had: {error.strerror or 'I/O error'}"
                ) from None
        try:
            yield
        finally:
            if drawer is not None and not drawer.lasting:
                _leave_nothing(drawer)


def _leave_nothing(drawer: Drawer) -> None:
    """Remove what archives had no time to; a disk that hangs keeps no process from ending."""

    def work() -> None:
        for left in drawer.all():
            with suppress(OSError):  # the start of the next one removes it
                clear(left)

    thread = threading.Thread(target=work, name="lookout-disk", daemon=True)
    thread.start()
    thread.join(EXIT_S)


async def emptied(drawer: Drawer, camera: str) -> None:
    """Remove all of a camera that is gone; a disk that hangs is left behind."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            await apart(partial(clear, drawer.folder))
    except OSError as error:  # of which TimeoutError is one
        why = error.strerror or "the disk does not answer"
        log.error("camera %s: its archive on disk was not removed: %s", camera, why)
