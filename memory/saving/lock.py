"""One process at a time: whoever uses a folder of saved memories says so on the disk.

The kernel keeps the lock and gives it back when its owner ends, however that ends; what the file
holds only tells people who it is. The file stays: taking it away would let two hold a lock each, of
a file that is gone and of one that is there.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LOCK: Final = ".lock"


class FolderTaken(OSError):
    """Somebody else uses the folder.

    Args:
        owner: number of their process; None if it cannot be told.
    """

    def __init__(self, owner: int | None) -> None:
        super().__init__("in use by another process")
        self.owner = owner


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else who asks uses the folder meanwhile, in this process or another one.

    Args:
        folder: on a file system that knows locks; exists.

    Raises:
        FolderTaken: if somebody does; nobody is waited for.
        OSError: if the file system cannot lock.
    """
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderTaken(_owner(handle)) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)  # and with it the lock


def _owner(handle: int) -> int | None:
    said = os.pread(handle, 32, 0).strip()
    return int(said) if said.isdigit() else None
