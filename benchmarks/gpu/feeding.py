"""Feeds a rig's cameras: as fast as it takes segments, or by the clock."""

from __future__ import annotations

import heapq
import queue
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from functools import partial

from benchmarks.gpu.rig import PATIENCE_S, Rig
from core.errors import LookoutError
from engine.requests import Perceived

AHEAD = 2  # segments of a camera that the engine takes at once
BACKLOG = 8  # temporal steps that wait for a camera; then the oldest gives way
LATE_S = 1.0

_Done = tuple[int, tuple[float, ...], float, Perceived | LookoutError]


@dataclass(slots=True)
class Flow:
    """What entered memory within a window.

    Args:
        seconds: of the window.
        frames: in it.
        waits: seconds from handing in to memory, of its segments.
    """

    seconds: float
    frames: int = 0
    waits: list[float] = field(default_factory=list)

    @property
    def frames_per_s(self) -> float:
        """Into memory."""
        return self.frames / self.seconds


def flood(rig: Rig, cameras: int, warm_s: float, window_s: float) -> Flow:
    """Hand every camera its next segment as soon as the engine takes one.

    Raises:
        LookoutError: what a segment was lost of.
        TimeoutError: if the engine stands still.
    """
    done: queue.SimpleQueue[_Done] = queue.SimpleQueue()
    steps, fps = rig.load.segment_steps, 2.0

    def feed(camera: int) -> None:
        told = partial(_note, done, camera, ())
        rig.perceive(camera, rig.segment(camera, steps, fps), told)

    for camera in range(cameras):
        for _ in range(AHEAD):
            feed(camera)
    began = time.monotonic() + warm_s
    flow, on_their_way = Flow(window_s), AHEAD * cameras
    while on_their_way:
        camera, _, at, result = _next(done)
        on_their_way -= 1
        if began <= at < began + window_s:
            flow.frames += result.frames
            flow.waits.append(result.seconds)
        if at < began + window_s:
            feed(camera)
            on_their_way += 1
    return flow


class Pacer:
    """Feeds cameras by the clock, on a thread of its own. Use as a context manager.

    Every camera is due a temporal step once a period, at a time of its own. What is due while its
    last segment is on its way waits and makes the next one longer.

    Args:
        rig: whose cameras.
        cameras: the first so many.
        fps: frames per second of each.
    """

    def __init__(self, rig: Rig, cameras: int, fps: float) -> None:
        self.lags: list[float] = []  # seconds from due to memory, of each temporal step
        self.dropped = 0  # temporal steps
        self.failure: LookoutError | None = None
        self._rig, self._fps = rig, fps
        self._period = rig.model.frames_per_step / fps
        self._due = [(n * self._period / cameras, n) for n in range(cameras)]
        self._waiting: list[deque[float]] = [deque() for _ in range(cameras)]
        self._busy = [False] * cameras
        self._done: queue.SimpleQueue[_Done | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pacer", daemon=True)

    def __enter__(self) -> Pacer:
        self._zero = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stop.set()
        self._done.put(None)
        self._thread.join(PATIENCE_S)
        if raised[0] is None and self.failure is not None:
            raise self.failure

    def wait(self, seconds: float) -> None:
        """Let it go on for so long, or until it fails."""
        self._stop.wait(seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._hand_in()
            wait = self._zero + self._due[0][0] - time.monotonic()
            try:
                finished = self._done.get(timeout=max(0.0, wait))
            except queue.Empty:
                continue
            if finished is not None:
                self._take(finished)

    def _hand_in(self) -> None:
        now = time.monotonic() - self._zero
        while self._due[0][0] <= now:
            due, camera = heapq.heappop(self._due)
            heapq.heappush(self._due, (due + self._period, camera))
            self._waiting[camera].append(due)
            if len(self._waiting[camera]) > BACKLOG:
                self._waiting[camera].popleft()
                self.dropped += 1
            self._feed(camera)

    def _feed(self, camera: int) -> None:
        waiting = self._waiting[camera]
        if self._busy[camera] or not waiting:
            return
        steps = min(len(waiting), self._rig.load.segment_steps)
        due = tuple(waiting.popleft() for _ in range(steps))
        segment = self._rig.segment(camera, steps, self._fps)
        self._busy[camera] = True
        try:
            self._rig.perceive(camera, segment, partial(_note, self._done, camera, due))
        except LookoutError as error:  # the engine has ended: nothing more can be fed
            self.failure = error
            self._stop.set()

    def _take(self, finished: _Done) -> None:
        camera, due, at, result = finished
        self._busy[camera] = False
        if isinstance(result, LookoutError):
            self.failure = result
            self._stop.set()
            return
        self.lags += [at - self._zero - one for one in due]
        self._feed(camera)


def _note(
    done: queue.SimpleQueue[_Done] | queue.SimpleQueue[_Done | None],
    camera: int,
    due: tuple[float, ...],
    result: Perceived | LookoutError,
) -> None:
    done.put((camera, due, time.monotonic(), result))


def _next(done: queue.SimpleQueue[_Done]) -> tuple[int, tuple[float, ...], float, Perceived]:
    try:
        camera, due, at, result = done.get(timeout=PATIENCE_S)
    except queue.Empty:
        raise TimeoutError(f"no segment entered memory for {PATIENCE_S:g} s") from None
    if isinstance(result, LookoutError):
        raise result
    return camera, due, at, result
