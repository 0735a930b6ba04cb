"""A camera: a source, its memory, and the answers being given about it.

It belongs to the server and outlives viewers. One task group runs its feed and its watching; the
memory survives reconnections and is given back when the camera is closed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import (
    CameraBlind,
    CameraError,
    ConfigError,
    FrameError,
    LookoutError,
    MemoryDamaged,
    Reason,
    SourceUnavailable,
    Unsupported,
)
from core.frames import Frame, Segment
from engine.engine import Engine
from engine.jobs import AnswerHandle, MemoryHandle
from engine.requests import Noted, Perceived
from memory.saving.manifest import Manifest
from memory.saving.state import MemoryState
from stream.cameras.answer import Answer, Question
from stream.cameras.asking import Listener, check, notice, to_ask
from stream.cameras.drawers import emptied
from stream.cameras.keeping import Keeper, StreamClock
from stream.cameras.notebook import Notebook
from stream.cameras.relief import Relief
from stream.cameras.segmenter import Segmenter
from stream.cameras.settling import heard, on_loop, settler
from stream.cameras.tally import Tally
from stream.cameras.truth import truth_of
from stream.cameras.view import CameraView, ms, of_engine, of_feed, of_relief, of_tally
from stream.cameras.watching import Gate, Watching, Witness
from stream.sources.base import EndOfSource, Source
from stream.sources.feed import CameraState, Feed, FeedStatus
from stream.sources.push import PushSource

log = logging.getLogger("lookout.camera")


class Camera:
    """One camera.

    Args:
        name: unique among the server's cameras.
        url: shown to people; without credentials.
        source: makes a source for each connection.
        engine: where its memory lives.
        watching: how it is watched.
        on_change: told on the event loop when its state changes.
        keeper: saves its memory and reads what was saved; None: it ends with the camera.
        gate: awaited before each frame enters; for replays.
        witness: awaited after each segment; the next one waits for it.
    """

    def __init__(
        self,
        name: str,
        url: str,
        source: Callable[[], Source],
        engine: Engine,
        watching: Watching,
        *,
        on_change: Callable[[CameraView], None] = lambda view: None,
        keeper: Keeper | None = None,
        gate: Gate | None = None,
        witness: Witness | None = None,
    ) -> None:
        self.name = name
        self.url = url
        self._make_source = source
        self._engine = engine
        self._watching = watching
        self._on_change = on_change
        self._keeper = keeper
        self._gate = gate
        self._witness = witness
        self._feed = Feed(
            self._open_source,
            fps=watching.fps,
            buffer_frames=watching.buffer_frames,
            on_change=self._fed,
        )
        self._relief = Relief(name, watching, engine.model.step_tokens, self._feed.retune)
        self._tally = Tally()
        self._notebook = Notebook()
        self._remembered = asyncio.Event()  # something since the last save
        self._memory: MemoryHandle | None = None
        self._source: Source | None = None
        self._newest: Frame | None = None
        self._answering = 0
        self._over = False  # nobody watches any more
        self._complaint = ""  # why segments are being lost
        self._loop = asyncio.get_running_loop()

    async def open(self) -> None:
        """Set its memory aside, with what was saved of it; call before `run`.

        Raises:
            CapacityExceeded: if no memory is left for one more camera.
            Overloaded: if no time is left for one more.
        """
        saved = await self._keeper.read() if self._keeper is not None else None
        result = await self._claim(None if saved is None else saved.state)
        if self._keeper is not None and isinstance(result, MemoryDamaged):
            await self._keeper.refuse(str(result))
            saved, result = None, await self._claim(None)
        if isinstance(result, LookoutError):
            raise result
        self._tally.held, self._tally.seen = result.held, result.seen
        self._tally.archived = result.archived
        if saved is not None:
            clock = StreamClock.of(saved.manifest)
            self._tally.newest_pts, self._tally.newest_arrived = clock.newest, clock.arrived
            self._feed.resume(clock.newest, clock.arrived)

    async def run(self) -> None:
        """Watch until a file ends or this is cancelled; a live source is never given up.

        Raises:
            SourceUnavailable: a file could not be read (on).
            EngineDead, MemoryLost: if the engine ended, or has no memory for it any more.
        """
        try:
            async with asyncio.TaskGroup() as group:
                feed = group.create_task(self._feed.run(), name=f"camera[{self.name}].feed")
                saving = group.create_task(self._save_regularly(), name=f"camera[{self.name}].save")
                try:
                    await self._watch()
                finally:
                    feed.cancel()
                    saving.cancel()
        finally:
            self._over = True
            if self._memory is not None:
                self._engine.finish(self._memory)

    def check_time(self, fps: float) -> None:
        """Raise `Overloaded` if in its place there is no time for so many frames a second."""
        if self._memory is not None:
            self._engine.check_time(fps, self._memory)

    def close(self) -> None:
        """Give the memory back. Idempotent, returns at once."""
        if self._memory is not None:
            self._engine.close_memory(self._memory)
            self._memory = None

    async def save(self) -> Manifest:
        """Write its memory to disk now.

        Raises:
            Unsupported, CameraBlind, Busy, MemoryNotSaved: as `CameraSeam.save` says.
            CameraError: if the camera was detached.
            EngineDead: if the engine ended.
        """
        if self._keeper is None:
            raise Unsupported(
                f"the memory of {self.name} is not saved: memory.save.folder must be set, and the "
                "camera be one of the configuration"
            )
        if self._tally.newest_pts is None:
            raise CameraBlind(f"camera {self.name} has shown nothing yet, there is nothing to save")
        return await self._keeper.write_asked(self)

    async def keep(self) -> None:
        """Save what is new since the last save, if it is saved at all; a failure is only told."""
        if self._keeper is not None and (self._remembered.is_set() or self._keeper.saving):
            self._remembered.clear()
            try:
                await self._keeper.write(self)
            except LookoutError:  # the keeper has said so
                self._remembered.set()

    async def forget(self) -> None:
        """Remove what was saved of it and its archive on disk; after `close`."""
        if self._keeper is not None:
            await self._keeper.clear()
        recalling = self._watching.recalling
        if recalling is not None and recalling.drawer is not None:
            await emptied(recalling.drawer, self.name)

    async def state(self) -> MemoryState:
        """What it remembers now, for the keeper; raises what `save` does."""
        saving = partial(self._engine.save, self._attached())
        result: MemoryState | LookoutError = await heard(saving)
        if isinstance(result, LookoutError):
            raise result
        return result

    def clock(self) -> StreamClock:
        """Where its stream stands; something has been seen."""
        newest, arrived = self._tally.newest_pts, self._tally.newest_arrived
        assert newest is not None
        assert arrived is not None
        return StreamClock(newest, arrived)

    def ask(self, question: Question) -> Answer:
        """Start an answer.

        Raises:
            QuestionTooLong: if the text exceeds the limit, or the answer asked for does.
            Busy: if too many answers are being given.
            CameraBlind: if nothing has been seen yet.
            CameraError: if the camera was detached.
            EngineDead: if the engine ended.
        """
        memory = self._attached()
        check(question, self._watching.max_question_chars, self._engine.limits.answer_tokens)
        state, age = self._feed.status.state, self._tally.age(time.monotonic())
        if age is None:
            raise CameraBlind(f"camera {self.name} has shown nothing yet (it is {state})")
        first = notice(age, self._watching.stale_after_s, state)
        handles: list[AnswerHandle] = []
        answer = Answer(lambda: self._engine.cancel(handles[0]))
        listener = Listener(answer, self.name, age, first, self._answer_over)
        handles.append(self._engine.ask(memory, to_ask(question), listener))
        self._answering += 1
        return answer

    def notes(self) -> tuple[Noted, ...]:
        """What the model wrote down about it, oldest first."""
        return self._notebook.all()

    def latest(self) -> Frame | None:
        """The newest frame taken, for previews."""
        return self._newest

    def truth(self) -> dict[str, Any] | None:
        """What really happens in a rendered scene at the newest frame; None for real cameras."""
        pts = None if self._newest is None else self._newest.pts
        return truth_of(self._source, pts, self._feed.offset)

    def push(self, pixels: NDArray[np.uint8], captured_at: float | None = None) -> bool:
        """Hand in a frame; whether the sampler took it.

        Raises:
            ConfigError: if this camera's frames do not come from outside.
        """
        if self._source is None:
            return False  # only just attached
        if not isinstance(self._source, PushSource):
            raise ConfigError(f"camera {self.name} takes its frames from {self.url}, not from you")
        return self._source.push(pixels, captured_at)

    def view(self) -> CameraView:
        """Its state and numbers now."""
        feed = self._feed.status
        state, reason = self._state(feed)
        return CameraView(
            name=self.name,
            url=self.url,
            state=str(state),
            reason=reason,
            fps=self._watching.fps,
            frame_age_ms=ms(self._tally.age(time.monotonic())),
            answering=self._answering,
            load=None if self._memory is None else self._engine.load(self._memory),
            policy=self._watching.policy.method,
            budget=self._watching.budget,
            restored=self._keeper.restored if self._keeper is not None else "",
            save_problem=self._keeper.problem if self._keeper is not None else "",
            **of_engine(self._engine, self._watching),
            **of_feed(feed),
            **of_tally(self._tally),
            **of_relief(self._relief.state),
        )

    async def _claim(self, restored: MemoryState | None) -> Perceived | LookoutError:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[Perceived | LookoutError] = loop.create_future()
        # Handle first: whatever happens to this await, `close` gives back what the engine filled.
        self._memory = self._engine.open_memory(
            self._watching.policy,
            self._watching.budget,
            self._watching.eviction,
            settler(loop, ready),
            self._watching.selecting,
            self._watching.recalling,
            restored,
            self._notebook.add,
            # A replay that waits before each frame takes what time there is.
            fps=None if self._gate is not None else self._watching.fps,
            anyway=self._watching.anyway,
        )
        return await ready

    async def _watch(self) -> None:
        """Move frames from the feed into memory, one segment on its way at a time."""
        watching = self._watching
        per_step = self._engine.model.frames_per_step
        segmenter = Segmenter(per_step, watching.max_steps, watching.cut_threshold)
        end: LookoutError | None = None
        while True:
            try:
                waits = watching.buffer_frames if self._relief.skips else 0
                frames = await self._feed.take(max(waits, per_step * watching.max_steps))
            except EndOfSource:
                break
            except SourceUnavailable as lost:
                end = lost
                break
            for frame in self._relief.pick(frames, per_step):
                if self._gate is not None:
                    while segment := segmenter.take():  # all that came before is in memory
                        await self._remember(segment)
                    await self._gate(frame.pts)
                self._newest = frame
                segmenter.add(frame)
            while segment := segmenter.take():
                await self._remember(segment)
        while segment := segmenter.take(final=True):
            await self._remember(segment)
        await self._remember(None)
        await self.keep()  # however it ended: nothing more comes that would save it later
        if end is not None:
            raise end

    async def _remember(self, segment: Segment | None) -> None:
        memory, relief = self._attached(), self._relief
        self._tally.sent(segment)
        picture = None if segment is None else relief.picture(segment)
        result: Perceived | LookoutError = await heard(
            lambda told: self._engine.perceive(
                memory, segment, told, relief.budget, picture, in_full=relief.in_full
            )
        )
        if isinstance(result, Perceived):
            self._tally.remembered(segment, result, time.monotonic())
            self._relieve(segment)
            self._complaint = ""
            self._remembered.set()
            if self._witness is not None:
                await self._witness(segment, result.steps)
        elif not isinstance(result, FrameError):
            raise result  # more has died than these frames
        else:
            self._tally.forgot(segment)
            if str(result) != self._complaint:  # not one line for each segment, for days
                self._complaint = str(result)
                log.warning("camera %s: %s", self.name, result)

    def _attached(self) -> MemoryHandle:
        if self._memory is None:
            raise CameraError(f"camera {self.name} was detached")
        return self._memory

    def _relieve(self, segment: Segment | None) -> None:
        """Give something up if the camera lags, or take it back; a file held back never lags."""
        if segment is None or self._source is None or self._source.lossless:
            return
        if self._relief.note(segment, time.monotonic(), self._feed.overtaken):
            self._on_change(self.view())

    async def _save_regularly(self) -> None:
        while self._keeper is not None:
            await self._remembered.wait()
            await self.keep()
            await asyncio.sleep(self._keeper.pause_s)

    def _open_source(self) -> Source:
        self._source = self._make_source()
        return self._source

    def _state(self, feed: FeedStatus) -> tuple[CameraState, Reason | None]:
        """What the feed says, as long as there is one: a camera that died must not look alive."""
        if self._memory is None:
            return CameraState.DISABLED, feed.reason
        if self._over and feed.state is not CameraState.OFFLINE:
            return CameraState.OFFLINE, "unknown"
        return feed.state, feed.reason

    def _fed(self, status: FeedStatus) -> None:
        """The feed's state changed: a camera that is away keeps its place, and refusals say so."""
        if self._memory is not None:
            away = status.state in (CameraState.STALLED, CameraState.RETRYING)
            self._engine.away(self._memory, away=away)
        self._on_change(self.view())

    def _answer_over(self) -> None:
        """On the engine's thread."""

        def over() -> None:
            self._answering -= 1

        on_loop(self._loop, over)
