"""Where runs lie: on the device, in host memory, on disk; older ones farther down.

Each tier has a fixed number of bytes. Who needs room on the device moves the oldest run there to
host memory. From there runs are written to disk before room is needed, a few at a time; one that is
not written yet stays where it is. Nothing here waits for the disk. What finds no room is for the
archive to forget.

Bytes of a run never change and are copied when they are read, so whoever has read them is not
concerned by what becomes of the run. Belongs to one thread.
"""

from __future__ import annotations

import enum
import logging
import time
from collections import Counter
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

from torch import Tensor

from core.sending import sent
from memory.recall.arena import Arena
from memory.recall.disk import Disk, File, why
from memory.recall.parcel import Layout

log = logging.getLogger("lookout.archive")

IN_FLIGHT: Final = 4  # runs being written at once, at most
_FULL: Final = 0.75  # of the host's bytes: from there on runs go to disk
_RETRY_S: Final = 10.0  # after the disk did not take a run


class Tier(enum.Enum):
    """Where a run lies."""

    DEVICE = "device"
    HOST = "host"
    DISK = "disk"


@dataclass(slots=True, eq=False)
class Run:
    """Steps that were frozen together; only `Tiers` changes where it lies."""

    layout: Layout
    spans: tuple[Span, ...]  # of its steps, oldest first
    tier: Tier = Tier.DEVICE
    key: int = -1  # in the arena of its tier
    file: File | None = None  # on disk
    writing: Future[File] | None = field(default=None, repr=False)  # while it lies on the host

    @property
    def time(self) -> float:
        """Stream seconds of its first step."""
        return self.spans[0].time


@dataclass(frozen=True, slots=True)
class Span:
    """Where one step lies in its run, and in the stream."""

    start: int  # tokens [start, stop) of the run
    stop: int
    time: float  # stream seconds
    base: int  # its least position
    size: int  # positions it takes


@dataclass(frozen=True, slots=True)
class Level:
    """What one tier holds."""

    tier: Tier
    runs: int
    bytes: int
    capacity: int
    read: int  # steps that questions ever read of it


@dataclass(frozen=True, slots=True)
class Holdings:
    """What an archive holds."""

    levels: tuple[Level, ...]
    steps: int
    forgotten: int  # steps, the lost ones included
    lost: int  # steps whose files were not as they were written


class Tiers:
    """Holds runs.

    Args:
        device: bytes on the model's device.
        host: bytes of host memory; None without.
        disk: files; None without. Needs `host`.
    """

    def __init__(self, device: Arena, host: Arena | None = None, disk: Disk | None = None) -> None:
        if disk is not None and host is None:
            raise ValueError("runs go to disk by way of host memory: it needs some")
        self.device = device
        self.host = host
        self.disk = disk
        self._runs: dict[Tier, int] = dict.fromkeys(Tier, 0)
        self._read: Counter[Tier] = Counter()
        self._writing: list[Run] = []
        self._resume = 0.0  # monotonic seconds from which the disk is tried again
        self.refused = 0  # runs that the disk did not take

    @property
    def levels(self) -> tuple[Level, ...]:
        """What each tier there is holds."""
        found = [(Tier.DEVICE, self.device.used, self.device.nbytes)]
        if self.host is not None:
            found.append((Tier.HOST, self.host.used, self.host.nbytes))
        if self.disk is not None:
            found.append((Tier.DISK, self.disk.used, self.disk.capacity))
        return tuple(
            Level(tier, self._runs[tier], used, capacity, self._read[tier])
            for tier, used, capacity in found
        )

    @property
    def settled(self) -> bool:
        """Whether nothing is being written or removed."""
        return not self._writing and (self.disk is None or not self.disk.leaving)

    def note_read(self, tier: Tier) -> None:
        """Count a step that a question read."""
        self._read[tier] += 1

    def put(self, run: Run, data: Tensor) -> None:
        """Take a new run; the device has room for it."""
        run.key = self.device.put(data)
        self._runs[Tier.DEVICE] += 1

    def put_lower(self, run: Run, data: Tensor) -> bool:
        """Take a run that the device has no room for; whether the host has."""
        if self.host is None or not self.host.fits(len(data)):
            return False
        run.tier, run.key = Tier.HOST, self.host.put(data)
        self._runs[Tier.HOST] += 1
        return True

    def adopt(self, run: Run, file: File) -> None:
        """Take a run that lies on disk already, of the files that `Disk.begin` was told."""
        run.tier, run.file = Tier.DISK, file
        self._runs[Tier.DISK] += 1

    def read(self, run: Run) -> Tensor | Future[Tensor]:
        """A copy of a run's bytes, on the device; from disk some time, on the host.

        Raises (through the future):
            MemoryDamaged: if the file is not there or not as it was written.
        """
        if run.tier is Tier.DEVICE:
            return self.device.read(run.key, run.layout.nbytes)
        if run.tier is Tier.HOST:
            assert self.host is not None
            return sent(self.host.read(run.key, run.layout.nbytes), self.device.device)
        assert self.disk is not None
        assert run.file is not None
        return self.disk.read(run.file)

    def drop(self, run: Run) -> None:
        """Forget a run; not one that is being written."""
        assert run.writing is None, "its bytes are still read"
        self._runs[run.tier] -= 1
        if run.tier is Tier.DEVICE:
            self.device.drop(run.key)
        elif run.tier is Tier.HOST and self.host is not None:
            self.host.drop(run.key)
        elif self.disk is not None and run.file is not None:
            self.disk.remove(run.file)

    def sink(self, run: Run) -> bool:
        """Move a run from the device to the host; whether there was room."""
        if self.host is None or not self.host.fits(run.layout.nbytes):
            return False
        data = self.device.read(run.key, run.layout.nbytes)
        key = self.host.put(data)
        self.device.drop(run.key)
        run.key, run.tier = key, Tier.HOST
        self._runs[Tier.DEVICE] -= 1
        self._runs[Tier.HOST] += 1
        return True

    def settle(self) -> None:
        """Note what was written meanwhile: it lies on disk now, its host bytes are free."""
        for run in [each for each in self._writing if each.writing and each.writing.done()]:
            self._writing.remove(run)
            self._note(run)

    def wants_disk(self) -> bool:
        """Whether one more run should be written now."""
        if self.disk is None or self.host is None:
            return False
        leaving = sum(self.host.takes(run.layout.nbytes) for run in self._writing)
        return (
            self.host.used - leaving > _FULL * self.host.nbytes
            and len(self._writing) < IN_FLIGHT
            and time.monotonic() >= self._resume
        )

    def write(self, run: Run) -> None:
        """Begin to write a run of the host; the disk has room for it."""
        assert self.disk is not None
        assert self.host is not None
        assert run.tier is Tier.HOST
        run.writing = self.disk.write(self.host.read(run.key, run.layout.nbytes))
        self._writing.append(run)

    def close(self) -> None:
        """Write no more. Idempotent, returns at once."""
        if self.disk is not None:
            self.disk.close()

    def _note(self, run: Run) -> None:
        assert self.disk is not None
        assert self.host is not None
        assert run.writing is not None
        writing, run.writing = run.writing, None
        error = None if writing.cancelled() else writing.exception()
        if writing.cancelled() or error is not None:
            self.disk.written(run.layout.nbytes, None)
            self.refused += 1
            self._resume = time.monotonic() + _RETRY_S
            if error is not None:
                log.warning("an archived run stays in host memory: %s", why(error))
            return
        run.file, run.tier = writing.result(), Tier.DISK
        self.disk.written(run.layout.nbytes, run.file)
        self.host.drop(run.key)
        self._runs[Tier.HOST] -= 1
        self._runs[Tier.DISK] += 1


def slot_for(layout: Layout) -> int:
    """Bytes of a slot that suit runs of such a size: few per run, little lost at its end."""
    return 1 << max(6, (layout.nbytes // 32).bit_length() - 1)
