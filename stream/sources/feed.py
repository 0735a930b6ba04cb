"""Keeps one camera delivering: opens its source, watches it, reconnects, and makes pts rise.

What comes out is a bounded buffer of frames and a status that says at any time what is going on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NoReturn

from core.errors import Reason, SourceUnavailable
from core.frames import Frame
from stream.sources.backoff import Backoff
from stream.sources.base import EndOfSource, Source, SourceInfo
from stream.sources.buffer import FrameBuffer
from stream.sources.sampler import Sampler
from stream.sources.timeline import Timeline

log = logging.getLogger("lookout.source")
_GOPS = 3  # keyframe intervals of silence that are still normal


class CameraState(StrEnum):
    """What a camera is doing; `disabled` is set by whoever owns the feed and does not run it."""

    CONNECTING = "connecting"
    LIVE = "live"
    STALLED = "stalled"
    RETRYING = "retrying"
    OFFLINE = "offline"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """One consistent look at a feed. Times are of the feed's monotonic clock, in seconds."""

    state: CameraState
    reason: Reason | None  # why it is not live
    retry_in_s: float | None  # until the next attempt; only while retrying
    since: float  # when the state began
    fps: float | None  # as announced by the source
    codec: str | None
    width: int | None  # pixels, of the newest frame
    height: int | None
    frames_decoded: int  # over all connections, sampled or not
    frames_in: int  # sampled frames that reached the buffer
    frames_dropped: int  # sampled frames that gave way to newer ones
    newest_arrived: float | None
    reconnects: int  # times delivery came back after a loss


@dataclass(frozen=True, slots=True)
class _Phase:
    state: CameraState
    since: float
    reason: Reason | None = None
    retry_at: float | None = None


class Feed:
    """One camera's frames, over all the connections it takes.

    Args:
        open_source: makes a fresh source for each attempt. (A source with `reopens = False` may
            be the same one each time.)
        fps: frames per second of media time that are taken.
        buffer_frames: frames held for `take`; when full the oldest gives way and is counted,
            except for a lossless source, which is held back.
        stall_after_s: silence until the state is `stalled`, or three keyframe intervals if longer.
            The time between two samples comes on top, here and below.
        restart_after_s: silence until a live source is closed and opened anew.
        backoff: waiting times between attempts.
        clock: monotonic seconds; must be the clock of `Frame.arrived`.
        on_change: called on the event loop when state or reason change; must not raise.
    """

    def __init__(
        self,
        open_source: Callable[[], Source],
        *,
        fps: float,
        buffer_frames: int = 32,
        stall_after_s: float = 5.0,
        restart_after_s: float = 20.0,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[FeedStatus], None] | None = None,
    ) -> None:
        self._open_source = open_source
        self._fps = fps
        self._buffer = FrameBuffer(buffer_frames)
        self._stall_after_s = stall_after_s
        self._restart_after_s = max(restart_after_s, stall_after_s)
        self._backoff = backoff or Backoff()
        self._clock = clock
        self._on_change = on_change
        self._timeline = Timeline()
        self._retry = asyncio.Event()
        self._phase = _Phase(CameraState.CONNECTING, clock())
        self._info: SourceInfo | None = None
        self._source: Source | None = None
        self._sampler: Sampler | None = None  # of the present connection
        self._newest: Frame | None = None
        self._healthy_since: float | None = None
        self._decoded = self._dropped = self._frames_in = self._reconnects = 0

    @property
    def overtaken(self) -> int:
        """Frames so far that gave way to newer ones since nobody took them."""
        return self._buffer.dropped

    @property
    def status(self) -> FeedStatus:
        """What is going on now; cheap, may be read at any time."""
        phase, newest, info = self._phase, self._newest, self._info
        stats = self._source.stats if self._source else None
        announced = (info.height, info.width) if info and info.width else None
        size = newest.pixels.shape[:2] if newest else announced
        retry_at = phase.retry_at
        return FeedStatus(
            state=phase.state,
            reason=phase.reason,
            retry_in_s=None if retry_at is None else max(retry_at - self._clock(), 0.0),
            since=phase.since,
            fps=info.fps if info else None,
            codec=info.codec if info else None,
            width=size[1] if size else None,
            height=size[0] if size else None,
            frames_decoded=self._decoded + (stats.decoded if stats else 0),
            frames_in=self._frames_in,
            frames_dropped=self._buffer.dropped + self._dropped + (stats.dropped if stats else 0),
            newest_arrived=newest.arrived if newest else None,
            reconnects=self._reconnects,
        )

    @property
    def offset(self) -> float:
        """The camera's pts at second 0 of its present source."""
        return self._timeline.offset

    def resume(self, pts: float, arrived: float) -> None:
        """Let the first frame come after one that a feed before this one delivered.

        Args:
            pts: of that frame, seconds.
            arrived: of that frame, seconds on this feed's clock.
        """
        self._timeline.resume(pts, arrived)

    def retune(self, fps: float) -> None:
        """Take so many frames per second of media time from now on.

        Raises:
            ValueError: if that is not a positive finite number.
        """
        self._fps = fps
        if self._sampler is not None:
            self._sampler.retune(fps)

    def retry_now(self) -> None:
        """Cuts the present wait short, or the next one when none is going on."""
        self._retry.set()

    async def take(self, max_frames: int) -> list[Frame]:
        """Up to `max_frames` of the oldest frames held; waits for at least one.

        Raises:
            EndOfSource: a file is finished and every frame was taken.
            SourceUnavailable: a file cannot be read (on), and every frame was taken.
        """
        return await self._buffer.get_many(max_frames)

    async def run(self) -> None:
        """Delivers until a file ends or the task is cancelled; a live source is never given up."""
        failures = 0
        try:
            while True:
                source = self._open_source()
                lost = await self._attempt(source)
                if lost is None or not source.live:
                    self._finish(lost, source)
                    return
                failures = 1 if self._was_healthy() else failures + 1
                log.warning("%s (attempt %d)", lost, failures)
                await self._wait(self._backoff.delay(failures, lost.reason), lost.reason)
        finally:
            self._buffer.close(EndOfSource())

    async def _attempt(self, source: Source) -> SourceUnavailable | None:
        """One connection from open to close; what ended it, None for the end of a file."""
        self._timeline.connect(live=source.live and not source.lossless)
        self._source, self._healthy_since = source, None
        try:
            await self._connect(source)
            await self._pump(source)
        except EndOfSource:
            return None
        except SourceUnavailable as lost:
            return lost
        finally:
            try:
                await source.close()
            finally:
                self._decoded += source.stats.decoded
                self._dropped += source.stats.dropped
                self._source = None

    async def _connect(self, source: Source) -> None:
        if self._phase.state is not CameraState.RETRYING:
            self._enter(CameraState.CONNECTING)
        self._sampler = Sampler(self._fps)
        self._info = await source.open(self._sampler)
        log.info("%s: opened, %s", source.label, self._info)

    async def _pump(self, source: Source) -> NoReturn:
        """Moves frames from the source to the buffer until it raises or is silent too long."""
        silent_since = self._clock()
        while True:
            stalled = self._phase.state is CameraState.STALLED
            patience = self._patience(source, stalled=stalled)
            left = None if patience is None else patience - (self._clock() - silent_since)
            frame = None
            try:
                async with asyncio.timeout(None if left is None else max(left, 0)):
                    frame = await source.recv()
            except TimeoutError:
                if stalled:
                    raise SourceUnavailable(
                        f"{source.label}: no frame for {self._clock() - silent_since:.1f} s",
                        "timeout",
                    ) from None
                self._enter(CameraState.STALLED, "timeout")
            if frame is not None:
                await self._deliver(source, frame)
                silent_since = self._clock()

    def _patience(self, source: Source, *, stalled: bool) -> float | None:
        """Seconds of silence until the next step: `stalled`, and then reopening (None: never)."""
        stall = max(self._stall_after_s, _GOPS * (source.stats.keyframe_interval or 0.0))
        rarely = 1 / self._fps  # a camera that is looked at every minute is not silent in between
        if not stalled:
            return stall + rarely
        if not (source.live and source.reopens):
            return None
        return max(self._restart_after_s, stall) + rarely

    async def _deliver(self, source: Source, frame: Frame) -> None:
        frame = replace(frame, pts=self._timeline.place(frame.pts, frame.arrived))
        if self._healthy_since is None and self._newest is not None:
            self._reconnects += 1
        if self._phase.state is not CameraState.LIVE:
            self._healthy_since = self._clock()
            self._enter(CameraState.LIVE)
        if source.lossless:
            await self._buffer.put_waiting(frame)
        else:
            self._buffer.put(frame)
        self._frames_in += 1
        self._newest = frame

    def _was_healthy(self) -> bool:
        since, newest = self._healthy_since, self._newest
        if since is None or newest is None:
            return False
        return newest.arrived - since >= self._backoff.healthy_after_s

    async def _wait(self, delay: float, reason: Reason) -> None:
        self._enter(CameraState.RETRYING, reason, retry_in_s=delay)
        try:
            async with asyncio.timeout(delay):
                await self._retry.wait()
        except TimeoutError:
            pass
        self._retry.clear()
        self._phase = replace(self._phase, retry_at=None)

    def _finish(self, lost: SourceUnavailable | None, source: Source) -> None:
        if lost is not None:
            log.warning("%s", lost)
            self._buffer.close(lost)
        self._enter(CameraState.OFFLINE, lost.reason if lost else "ended")

    def _enter(
        self, state: CameraState, reason: Reason | None = None, *, retry_in_s: float | None = None
    ) -> None:
        now = self._clock()
        retry_at = None if retry_in_s is None else now + retry_in_s
        same = state is self._phase.state and reason == self._phase.reason
        since = self._phase.since if state is self._phase.state else now
        self._phase = _Phase(state, since, reason, retry_at)
        if self._on_change is not None and not (same and retry_at is None):
            self._on_change(self.status)
