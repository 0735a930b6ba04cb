"""A contender before a film: at full speed, or in real time behind the ingest of the product.

In real time frames come by a clock that waits for nobody, into the bounded buffer of the product
(when it is full the oldest frame gives way), and are cut into segments as the product does it. A
frame is due when its temporal step is complete, by the clock and not by what came of it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from math import inf

from benchmarks.live.contender import Contender
from benchmarks.live.film import Film
from core.frames import Segment
from stream.cameras.segmenter import Segmenter
from stream.sources.base import EndOfSource
from stream.sources.buffer import FrameBuffer

STEP = 2  # frames of a temporal step
MAX_STEPS = 2  # temporal steps of a segment at most, as by default
_BUFFER = 32  # frames, as by default
_NO_CUTS = 1.0


@dataclass(slots=True)
class Phase:
    """Some seconds in real time; complete once `Stage.playing` was left."""

    fps: float
    slack_s: float
    first: int = 0  # number of the first frame
    began: float = 0.0  # when that one came, monotonic
    frames: int = 0  # that were due
    cpu_s: float = 0.0
    entered: dict[int, float] = field(default_factory=dict)  # when frames came into memory

    @property
    def late(self) -> int:
        """Frames not in memory within a sampling interval and the slack of being due."""
        return self.judged([(-inf, inf)])[1]

    def judged(self, spans: Sequence[tuple[float, float]]) -> tuple[int, int]:
        """Frames that were due in some stretches of monotonic time, and how many were late."""
        due = [n for n in range(self.frames) if any(a <= self._due(n) < b for a, b in spans)]
        allowed = 1 / self.fps + self.slack_s
        return len(due), sum(self._lateness(n) > allowed for n in due)

    @property
    def frames_per_s(self) -> float:
        """Into memory, among those due, by the end of the phase and what a frame is allowed."""
        seconds = self.frames / self.fps
        end = self.began + seconds + 1 / self.fps + self.slack_s
        return sum(entered <= end for entered in self.entered.values()) / seconds

    @property
    def cpu_per_s(self) -> float:
        """Seconds of all cores together by the second."""
        return self.cpu_s * self.fps / self.frames

    def _lateness(self, place: int) -> float:
        return self.entered.get(self.first + place, inf) - self._due(place)

    def _due(self, place: int) -> float:
        whole = place // STEP * STEP + STEP - 1
        return self.began + whole / self.fps


class Stage:
    """One contender, and where in the film it stands.

    Args:
        contender: what watches.
        film: what it sees.
        slack_s: by how much more than a sampling interval a frame may come late.
    """

    def __init__(self, contender: Contender, film: Film, slack_s: float) -> None:
        self.contender = contender
        self.film = film
        self.number = 0  # of the next frame
        self.missed_s = 0.0  # of the stream so far
        self._slack_s = slack_s

    @property
    def minutes(self) -> float:
        """How long the stream is by now."""
        return self.number / self.film.fps / 60

    async def fill(self, until: int, most: int | None = None) -> None:
        """Watch at full speed up to that frame.

        Args:
            until: its number.
            most: frames at most, the newest; what comes before is skipped.
        """
        missed = 0 if most is None else max(0, until - self.number - most) // STEP * STEP
        if missed:
            await self.contender.skip(missed)
            self.missed_s += missed / self.film.fps
            self.number += missed
        while self.number < until:
            size = min(STEP * MAX_STEPS, until - self.number)
            frames = tuple(self.film.frame(self.number + n) for n in range(size))
            await self.contender.watch(Segment(self.number, frames))
            self.number += size

    @asynccontextmanager
    async def playing(self, ahead_s: float = 0.0, *, brief: bool = False) -> AsyncIterator[Phase]:
        """Real time, until the body ends; leaving waits until all that came was watched.

        Args:
            ahead_s: how long ago the first frame came; below 0, it is still to come.
            brief: the rest of the last temporal step comes at once when the body has ended; only
                what was due before says something then.
        """
        phase = Phase(self.film.fps, self._slack_s)
        phase.first, phase.began = self.number, time.monotonic() - ahead_s
        buffer, stop = FrameBuffer(_BUFFER), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._play(phase, buffer, stop, stop if brief else asyncio.Event()))
            group.create_task(self._take(phase, buffer))
            try:
                yield phase
            finally:
                stop.set()

    async def _play(
        self, phase: Phase, buffer: FrameBuffer, stop: asyncio.Event, hurry: asyncio.Event
    ) -> None:
        """Put frames into the buffer as they come; ends with a whole temporal step."""
        cpu = time.process_time()
        try:
            while not (stop.is_set() and phase.frames and phase.frames % STEP == 0):
                await _until(phase.began + phase.frames / phase.fps, hurry)
                buffer.put(self.film.frame(self.number))
                self.number += 1
                phase.frames += 1
            await _until(phase.began + phase.frames / phase.fps, hurry)
        finally:
            buffer.close(EndOfSource())
            phase.cpu_s = time.process_time() - cpu

    async def _take(self, phase: Phase, buffer: FrameBuffer) -> None:
        segmenter = Segmenter(STEP, MAX_STEPS, _NO_CUTS)
        sent: deque[int] = deque()
        ended = False
        while not ended:
            try:
                for frame in await buffer.get_many(STEP * MAX_STEPS):
                    segmenter.add(frame)
            except EndOfSource:
                ended = True
            while segment := segmenter.take(final=ended):
                sent.extend(round(frame.pts * phase.fps) for frame in segment.frames)
                known = await self.contender.watch(segment)
                now = time.monotonic()
                for _ in range(min(known, len(sent))):
                    phase.entered[sent.popleft()] = now


async def _until(moment: float, hurry: asyncio.Event) -> None:
    """Wait for a monotonic time, or until there is no more need to."""
    with suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, moment - time.monotonic())):
            await hurry.wait()
