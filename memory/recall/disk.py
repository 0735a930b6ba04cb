"""The last tier: runs in files, one each, written and read on a thread of its own.

A file has a name that no other ever has. It is written under another one, flushed, and renamed, so
a kill leaves a draft, which the next start removes. What is read must have the SHA-256 that was
noted when it was written. The folder is the camera's alone and its owner's: it holds what a camera
saw. While the camera lives only files that are named like ours are ever removed from it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import time
import uuid
from collections.abc import Collection
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from core.errors import MemoryDamaged
from memory.folders import flush
from memory.recall.worker import Worker

log = logging.getLogger("lookout.archive")

SUFFIX: Final = ".run"
DRAFT: Final = ".draft"
OVERHEAD: Final = 256  # bytes of a file beside its run, at most
GONE: Final = ".gone-"  # begins the name of a folder that is being removed; no camera's does
RETRY_S: Final = 10.0  # after the disk did not let a file go
_TENSOR: Final = "run"
_OURS: Final = re.compile(rf"[0-9a-f]{{32}}({re.escape(SUFFIX)}|{re.escape(DRAFT)})")


@dataclass(frozen=True, slots=True)
class File:
    """A run on disk."""

    name: str
    sha256: str  # of all its bytes
    nbytes: int


class Disk:
    """Files of one camera; its methods belong to one thread and never wait for the disk.

    Args:
        folder: of this camera alone.
        capacity: bytes of all files at most, those being written and removed included.
        lasting: whether files stay when it is closed, for a saved memory that refers to them.
    """

    def __init__(self, folder: Path, capacity: int, *, lasting: bool = False) -> None:
        self.capacity = capacity
        self._folder = folder
        self._lasting = lasting
        self._worker = Worker("lookout-archive")
        self._leaving: list[tuple[Future[None], File]] = []
        self._stuck: list[File] = []  # that the disk did not let go
        self._retry = 0.0  # monotonic seconds from which it is asked again
        self._used = 0

    @property
    def used(self) -> int:
        """Bytes of files that are there, or about to be there or gone."""
        self._count_gone()
        return self._used

    @property
    def leaving(self) -> int:
        """Bytes of files that are about to be gone, however often the disk must be asked."""
        self._count_gone()
        return sum(file.nbytes for file in (*(file for _, file in self._leaving), *self._stuck))

    def fits(self, nbytes: int) -> bool:
        """Whether there is room for a run of so many bytes."""
        return self.used + nbytes + OVERHEAD <= self.capacity

    def begin(self, known: Collection[File]) -> None:
        """Take over the files that a saved memory refers to, and remove all others; once."""
        self._used = sum(file.nbytes for file in known)
        folder, names = self._folder, {file.name for file in known}
        self._worker.submit(lambda: _prepare(folder, names))

    def write(self, data: Tensor) -> Future[File]:
        """Write a run; `fits`. Its room is taken from now on: call `failed` if it is not written.

        Args:
            data: uint8 [n] on the host; not changed until it is done.

        Raises (through the future):
            OSError: if the disk does not take it.
        """
        self._used += len(data) + OVERHEAD
        return self._worker.submit(lambda: _write(self._folder, data))

    def written(self, data_bytes: int, file: File | None) -> None:
        """Count a file as large as it became; None: it was not written."""
        self._used += (0 if file is None else file.nbytes) - data_bytes - OVERHEAD

    def read(self, file: File) -> Future[Tensor]:
        """Read a run, before all that is to be written; uint8 [n] on the host.

        Raises (through the future):
            MemoryDamaged: if it is not there or not as it was written.
            OSError: if the disk does not give it now.
        """
        return self._worker.submit(lambda: _read(self._folder, file), urgent=True)

    def remove(self, file: File) -> None:
        """Remove a file; its bytes count until it is gone."""
        removal = self._worker.submit(lambda: _remove(self._folder / file.name))
        self._leaving.append((removal, file))

    def close(self) -> None:
        """Write and read no more, and leave nothing behind unless it lasts. Idempotent."""
        folder = self._folder
        self._worker.close(None if self._lasting else lambda: _empty(folder))

    def join(self, timeout: float) -> bool:
        """Wait until all is done after `close`; whether it is."""
        return self._worker.join(timeout)

    def _count_gone(self) -> None:
        for removal, file in [each for each in self._leaving if each[0].done()]:
            self._leaving.remove((removal, file))
            error = None if removal.cancelled() else removal.exception()
            if error is None and not removal.cancelled():
                self._used -= file.nbytes
                continue
            if not self._stuck:
                self._retry = time.monotonic() + RETRY_S
                log.warning("archived runs cannot be removed from disk: %s", why(error))
            self._stuck.append(file)
        if self._stuck and time.monotonic() >= self._retry:
            stuck, self._stuck = self._stuck, []
            for file in stuck:
                self.remove(file)


def clear(folder: Path) -> None:
    """Remove a camera's folder with all runs in it; blocks on the disk.

    Raises:
        OSError: if the disk does not let it go.
    """
    if folder.is_dir():
        gone = folder.with_name(f"{GONE}{uuid.uuid4().hex}")
        folder.rename(gone)  # whoever is still writing finds no folder
        shutil.rmtree(gone, onerror=_unless_gone)


def _unless_gone(
    _: Any, path: str, error: tuple[type[BaseException], BaseException, TracebackType]
) -> None:
    """Somebody else may be removing it, too."""
    if not isinstance(error[1], FileNotFoundError):
        raise error[1]


def _prepare(folder: Path, known: Collection[str]) -> None:
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True)
        flush(folder.parent)
    for left in folder.parent.glob(f"{GONE}*"):  # by a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    _tidy(folder, known)


def _tidy(folder: Path, known: Collection[str]) -> None:
    for path in folder.iterdir():
        if _OURS.fullmatch(path.name) and path.name not in known:
            _remove(path)


def _empty(folder: Path) -> None:
    _tidy(folder, ())
    if not any(folder.iterdir()):
        folder.rmdir()


def _write(folder: Path, data: Tensor) -> File:
    blob = save({_TENSOR: data})
    number = uuid.uuid4().hex
    draft, path = folder / f"{number}{DRAFT}", folder / f"{number}{SUFFIX}"
    written = File(path.name, hashlib.sha256(blob).hexdigest(), len(blob))
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(blob)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
        flush(folder)
    except BaseException:
        for left in (draft, path):
            left.unlink(missing_ok=True)
        raise
    return written


def _read(folder: Path, file: File) -> Tensor:
    try:
        blob = (folder / file.name).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise MemoryDamaged(f"{file.name} is not there") from None
    if len(blob) != file.nbytes or hashlib.sha256(blob).hexdigest() != file.sha256:
        raise MemoryDamaged(f"{file.name} is not as it was written")
    try:
        data = load(blob)[_TENSOR]
    except (SafetensorError, ValueError, KeyError):
        raise MemoryDamaged(f"{file.name} holds no run") from None
    if data.dtype != torch.uint8 or data.ndim != 1:
        raise MemoryDamaged(f"{file.name} holds no run")
    return data


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def why(error: BaseException | None) -> str:
    """What the disk said, in words that name no path."""
    return getattr(error, "strerror", None) or type(error).__name__
