"""Where the memory of one camera lies on disk: written whole or not at all.

A save is a folder with a number. It is written under another name, flushed, and renamed: a folder
whose name is a number is whole, whatever kills the process. Older ones go only then. What cannot be
used is put aside, so that the next save does not take its place. Folders are their owner's alone,
for they hold what a camera saw.

Meant for one process at a time, which `memory.saving.lock` sees to. Blocks on the disk: not for an
event loop, nor for the engine.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save_file

from core.errors import MemoryDamaged, MemoryNotSaved
from memory.folders import flush
from memory.saving.fit import Fit
from memory.saving.manifest import Manifest, describe
from memory.saving.packing import from_tensors, to_tensors
from memory.saving.state import MemoryState

MANIFEST = "manifest.json"
TENSORS = "memory.safetensors"
ASIDE = "refused"
MANIFEST_BYTES = 2**20  # at most; what is larger was not written here
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_NUMBER = re.compile(r"\d{12}")


@dataclass(frozen=True, slots=True, eq=False)
class Saved:
    """A memory that was read, and what its manifest says."""

    state: MemoryState
    manifest: Manifest


class Shelf:
    """Saves and reads the memory of one camera; from any thread, one at a time.

    Args:
        folder: of all cameras; made when something is written.
        camera: its name; letters, digits and `_.-`, as cameras have them.
        fit: the memory that is saved, and that a saved one is to become.

    Raises:
        ValueError: if the name could lead elsewhere.
    """

    def __init__(self, folder: Path, camera: str, fit: Fit) -> None:
        if not _NAME.fullmatch(camera):
            raise ValueError(f"a camera's name is letters, digits and _.-, not {camera!r}")
        self._folder = folder / f"camera-{camera}"  # so that no name is one of the system's
        self._camera = camera
        self._fit = fit
        self._lock = threading.Lock()
        self._cleared = False

    def write(self, state: MemoryState, newest: float, second_zero: float) -> Manifest:
        """Put a state in the place of the one saved before.

        Args:
            state: at least the fixed beginning.
            newest: stream seconds of the newest frame remembered.
            second_zero: Unix time of stream second 0.

        Raises:
            MemoryNotSaved: if the disk does not take it, or the shelf was cleared; what was saved
                before is as it was.
        """
        with self._lock:
            if self._cleared:
                raise MemoryNotSaved(f"camera {self._camera} was removed, and its memory with it")
            try:
                return self._write(state, newest, second_zero)
            except OSError as error:
                raise MemoryNotSaved(
                    f"the memory of {self._camera} was not saved: {error.strerror or 'I/O error'}"
                ) from None
            except SafetensorError:
                raise MemoryNotSaved(
                    f"the memory of {self._camera} was not saved: its tensors could not be written"
                ) from None

    def read(self) -> Saved | None:
        """The newest save, checked; None if there is none.

        Raises:
            MemoryDamaged: if it is not as it was written.
            MemoryForeign: if it is of another model, policy, codec or version, or too large.
        """
        with self._lock:
            try:
                newest = max(self._saves(), default=None)
                return None if newest is None else self._read(newest)
            except OSError as error:
                raise MemoryDamaged(f"it cannot be read: {error.strerror or 'I/O error'}") from None

    def put_aside(self) -> None:
        """Keep the newest save, which was refused, from being replaced by the next one.

        One is kept so, the last; if the disk does not take even that it stays where it is.
        """
        with self._lock:
            newest = max(self._saves(), default=None)
            if newest is None:
                return
            try:
                _remove(self._folder / ASIDE)
                newest.rename(self._folder / ASIDE)
            except OSError:
                return

    def clear(self) -> None:
        """Remove all that was saved, and save nothing any more: the camera is gone.

        Raises:
            OSError: if the disk does not let it go.
        """
        with self._lock:
            self._cleared = True
            for save in self._saves():
                _remove(save)
            if self._folder.exists():
                shutil.rmtree(self._folder)

    def _saves(self) -> list[Path]:
        try:
            return [path for path in self._folder.iterdir() if _NUMBER.fullmatch(path.name)]
        except OSError:  # nothing was ever written
            return []

    def _write(self, state: MemoryState, newest: float, second_zero: float) -> Manifest:
        if not self._folder.is_dir():
            self._folder.mkdir(mode=0o700, parents=True)
            flush(self._folder.parent)
        for left in self._folder.glob(".*"):  # by a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        older = sorted(self._saves())
        number = int(older[-1].name) + 1 if older else 1
        draft = self._folder / f".writing-{number:012d}"
        draft.mkdir(mode=0o700)
        try:
            tensors = _write_tensors(draft / TENSORS, state)
            manifest = describe(
                self._camera, self._fit, state, tensors, newest, second_zero, time.time()
            )
            _write_bytes(draft / MANIFEST, manifest.to_bytes())
            flush(draft)
            draft.rename(self._folder / f"{number:012d}")
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        flush(self._folder)
        for save in older:
            with contextlib.suppress(OSError):  # the newest counts, whatever else is there
                _remove(save)
        return manifest

    def _read(self, save: Path) -> Saved:
        with (save / MANIFEST).open("rb") as file:
            manifest = Manifest.read(file.read(MANIFEST_BYTES))
        manifest.check(self._camera, self._fit)
        path = save / TENSORS
        if path.stat().st_size != manifest.tensors_bytes:
            raise MemoryDamaged("its tensors are not as long as they were")
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != manifest.tensors_sha256:
            raise MemoryDamaged("its tensors are not as they were written")
        try:
            tensors = load(data)
        except (SafetensorError, ValueError, KeyError):
            raise MemoryDamaged("its tensors cannot be read") from None
        return Saved(from_tensors(tensors, manifest, self._fit), manifest)


def _write_tensors(path: Path, state: MemoryState) -> tuple[int, str]:
    """Bytes and SHA-256 of what was written."""
    save_file(to_tensors(state), path)
    path.chmod(0o600)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    return path.stat().st_size, digest


def _write_bytes(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(handle)


def _remove(save: Path) -> None:
    """First from among the saves, in one stroke: what is half removed is no save any more.

    Raises:
        OSError: if it cannot be renamed.
    """
    if save.exists():
        gone = save.with_name(f".gone-{save.name}")
        shutil.rmtree(gone, ignore_errors=True)
        save.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
