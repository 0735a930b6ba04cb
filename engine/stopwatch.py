"""How long steps take where they run: a GPU works on after the host has gone on to other things."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import torch

from engine.lanes import Lane
from engine.pace import Load

PENDING: Final = 64  # steps whose end is not known yet; the oldest gives way

Timed = list[tuple[Load, float]]  # what a step did, and milliseconds


class Stopwatch(ABC):
    """Times steps; belongs to one thread."""

    @abstractmethod
    def start(self) -> None:
        """A step begins to run."""

    @abstractmethod
    def stop(self, load: Load) -> Timed:
        """It was launched; steps whose time is known by now, this one perhaps among them."""


class HostWatch(Stopwatch):
    """For a CPU: what was launched is done."""

    def start(self) -> None:
        """See `Stopwatch.start`."""
        self._began = time.monotonic()

    def stop(self, load: Load) -> Timed:
        """See `Stopwatch.stop`."""
        return [(load, (time.monotonic() - self._began) * 1000)]


class Mark(Protocol):
    """A moment on the device, as `torch.cuda.Event` tells it."""

    def query(self) -> bool:
        """Whether it is past."""

    def elapsed_time(self, other: Mark) -> float:
        """Milliseconds to a later one; both are past."""


@dataclass(frozen=True, slots=True)
class _Running:
    load: Load
    began: Mark
    ends: tuple[Mark, ...]


class DeviceWatch(Stopwatch):
    """For a GPU: nobody waits to know; a step lasts until both the eye and the rest are done.

    Args:
        mark: puts a mark behind what was launched so far, by the eye (True) or by the rest (False).
    """

    def __init__(self, mark: Callable[[bool], Mark]) -> None:
        self._mark = mark
        self._running: deque[_Running] = deque(maxlen=PENDING)

    def start(self) -> None:
        """See `Stopwatch.start`."""
        self._began = self._mark(False)

    def stop(self, load: Load) -> Timed:
        """See `Stopwatch.stop`."""
        ends = (self._mark(False), self._mark(True)) if load.encoded else (self._mark(False),)
        self._running.append(_Running(load, self._began, ends))
        known: Timed = []
        while self._running and all(end.query() for end in self._running[0].ends):
            done = self._running.popleft()
            known.append((done.load, max(done.began.elapsed_time(end) for end in done.ends)))
        return known


def stopwatch_for(device: torch.device, lane: Lane) -> Stopwatch:
    """What tells the truth on that device."""
    if device.type != "cuda":
        return HostWatch()

    def mark(eye: bool) -> Mark:
        event: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        stream = lane.stream if eye else None
        event.record(stream or torch.cuda.current_stream(device))
        found: Mark = event
        return found

    return DeviceWatch(mark)
