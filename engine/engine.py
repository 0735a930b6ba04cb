"""The engine: one thread that owns the model, the pool and every memory.

Callers make a handle, submit it, and are told by listeners on the engine's thread. Nothing here
awaits; nothing outside touches a tensor. What is released is released on this thread, in order.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from core.errors import Busy, CameraError, EngineDead, LookoutError, MemoryLost
from core.frames import Segment
from engine.admission import Admission
from engine.commands import Command, nobody
from engine.decoding import graphed
from engine.demand import Room
from engine.filling import Filling
from engine.jobs import AnswerHandle, MemoryHandle, SegmentJob
from engine.lanes import Lane
from engine.limits import Limits
from engine.noting import Noting
from engine.places import Places
from engine.recalling import Recalling
from engine.refusing import check
from engine.requests import (
    AnswerListener,
    Ask,
    NoteListener,
    Perceived,
    PerceiveListener,
    SaveListener,
    unheard,
)
from engine.runner import Runner
from engine.scheduler import Scheduler
from engine.selecting import Selecting
from engine.speaking import DEFAULT, Speaking
from engine.steps import Steps
from engine.work import Work
from memory.policies.policy import MemoryPolicy
from memory.pool import PagePool
from memory.readers.reader import Reader
from memory.readers.torch_reader import TorchReader
from memory.saving.state import MemoryState
from models.vlm import VideoLanguageModel
from pruning.online import OnlinePruner
from pruning.policy import PruningPolicy

log = logging.getLogger("lookout.engine")

SEGMENTS_AHEAD = 2  # per camera: one being worked on, one waiting


class Engine:
    """Runs one model for many cameras and answers. Use as a context manager.

    Args:
        model: what to run.
        limits: how much to take on.
        scheduler: how steps are composed.
        reader: how attention reads pages.
        speaking: what answers see and where their tokens stand.
        noting: what notes are taken; None: none are. The limits make room for them.
        graphs: whether forwards of single words are recorded, where there is a GPU.
        lane: where the eye computes; None: what suits the device.

    Raises:
        ValueError: if the limits make no room for notes that are to be taken.
    """

    def __init__(
        self,
        model: VideoLanguageModel,
        limits: Limits | None = None,
        scheduler: Scheduler | None = None,
        reader: Reader | None = None,
        speaking: Speaking = DEFAULT,
        noting: Noting | None = None,
        graphs: bool = False,
        lane: Lane | None = None,
    ) -> None:
        self.model = model
        self.limits = limits or Limits()
        needed = 0 if noting is None else noting.tokens(model)
        if noting is not None and (self.limits.note_tokens < needed or not self.limits.noting):
            raise ValueError(f"notes of {needed} tokens are to be taken, the limits have no room")
        pages = self.limits.pages(model.max_step_tokens, model.marker_tokens)
        self.pool = PagePool(model.shape, pages, self.limits.page_size, model.device)
        self._work = Work()
        reader = reader or TorchReader()
        decoding = graphed(model, self.pool, reader, self.limits) if graphs else None
        composer = scheduler or Scheduler()
        self._steps = Steps(
            Runner(model, self.pool, reader, decoding, lane),
            composer,
            self._work,
            self.limits,
            speaking,
            noting,
        )
        self._filling = Filling(model, self.pool, self.limits, self._work, self._steps)
        self.graphed = decoding is not None
        self._speaking = speaking
        self._inbox: deque[Command] = deque()
        self._wake = threading.Condition()
        self._places = Places(self.limits.answers, self.limits.waiting)
        self._admission = Admission(
            lambda: composer.costs,
            Room(
                composer.prefill_tokens,
                composer.encode_tokens,
                composer.full_ms,
                model.frames_per_step,
                model.frames_per_step * self.limits.segment_steps,
            ),
            self.limits.load,
            self.limits.lag_s,
        )
        self._closing = False
        self._dead: EngineDead | None = None
        self._turn: float | None = None  # monotonic seconds when it began to do something
        self._thread = threading.Thread(target=self._run, name="lookout-engine", daemon=True)

    def __enter__(self) -> Engine:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether it can take work."""
        return self._thread.is_alive() and self._dead is None and not self._closing

    @property
    def turn_s(self) -> float:
        """Seconds for which it has been in one step; 0 while nobody wants anything."""
        began = self._turn
        return 0.0 if began is None else time.monotonic() - began

    @property
    def counters(self) -> dict[str, int]:
        """Steps, tokens and busy milliseconds so far; a copy."""
        return dict(self._steps.counters)

    def open_memory(
        self,
        policy: PruningPolicy,
        budget: int,
        eviction: MemoryPolicy,
        listener: PerceiveListener,
        selecting: Selecting | None = None,
        recalling: Recalling | None = None,
        restored: MemoryState | None = None,
        on_note: NoteListener = unheard,
        fps: float | None = None,
        anyway: bool = False,
    ) -> MemoryHandle:
        """A new camera's memory; the listener is told when it is ready, or why it cannot be.

        Args:
            policy: which visual tokens are kept.
            budget: of visual tokens per temporal step.
            eviction: what a full memory gives up.
            listener: told once.
            selecting: how answers choose what they read of the kept tokens; None: they read the
                memory.
            recalling: how steps that memory gives up are archived and read again; None loses them.
            restored: what it holds from the start, checked by `memory.saving`; None: nothing.
            on_note: told of each note, those that are restored included.
            fps: frames per second that are due, which must fit beside the other cameras; None: as
                many as there is time for.
            anyway: whether it is watched however much time the others need.

        Raises:
            Overloaded: if the cameras would need more of the engine's time than there is.
            ValueError: if answers could choose or recall more than the limits make room for, or
                both choose and recall, or the archive does not suit what is given up.
            EngineDead: if the engine has ended.
        """
        check(self.limits, self._speaking, eviction, selecting, recalling)
        handle = MemoryHandle(
            OnlinePruner(policy, budget),
            on_note=lambda note: self._steps.tell(on_note, note),
            recalling=recalling,
            selecting=selecting,
        )
        if fps is not None:
            self._admission.admit(handle.number, fps, anyway=anyway)

        def told(result: Perceived | LookoutError) -> None:
            if isinstance(result, LookoutError):
                self._admission.leave(handle.number)
            self._steps.tell(listener, result)

        def renewed(result: Perceived | LookoutError) -> None:
            if isinstance(result, LookoutError):
                handle.why = MemoryLost(f"its memory was damaged, and none is left: {result}")

        handle.renew = lambda: self._filling.fill(handle, eviction, None, renewed)

        def failed(error: LookoutError) -> None:
            self._steps.close_memory(handle)
            told(CameraError(f"its memory could not be made: {error}"))

        self._submit(lambda: self._filling.fill(handle, eviction, restored, told), failed)
        return handle

    def save(self, handle: MemoryHandle, listener: SaveListener) -> None:
        """Tell the listener what a camera's memory holds, between two steps of the engine.

        Raises:
            EngineDead: if the engine has ended.
        """

        def told(result: MemoryState | LookoutError) -> None:
            self._steps.tell(listener, result)

        self._submit(lambda: self._steps.save(handle, told), told)

    def close_memory(self, handle: MemoryHandle) -> None:
        """Give a memory back, ending its segments and answers. Idempotent, returns at once."""
        self._admission.leave(handle.number)
        self._submit(lambda: self._steps.close_memory(handle), even_when_closing=True)

    def finish(self, handle: MemoryHandle) -> None:
        """Nothing more is due of a camera: others may have its time. Its memory stays."""
        self._admission.leave(handle.number)

    def away(self, handle: MemoryHandle, *, away: bool) -> None:
        """A camera's source delivers nothing, or does again; the time that it needs stays its."""
        self._admission.away(handle.number, away=away)

    def check_time(self, fps: float, instead_of: MemoryHandle) -> None:
        """Whether there is time for a camera in the place of another, or it needs no more.

        Raises:
            Overloaded: if there is not.
        """
        self._admission.check(fps, instead_of.number)

    def load(self, handle: MemoryHandle) -> float | None:
        """Share of the engine's time that a camera needs; None if it is not known (yet)."""
        return self._admission.share(handle.number)

    def perceive(
        self,
        handle: MemoryHandle,
        segment: Segment | None,
        listener: PerceiveListener,
        budget: int | None = None,
        picture: tuple[int, int] | None = None,
        *,
        in_full: bool = True,
    ) -> None:
        """Take a segment into memory; None decides what a look-ahead policy holds back.

        Args:
            handle: of the camera's memory.
            segment: what was seen.
            listener: told once.
            budget: of visual tokens per temporal step from here on, at least 1; None changes
                nothing.
            picture: (height, width) that its pictures are seen at, no larger than they are; None:
                their own.
            in_full: whether nothing is given up: what it makes then says what its camera needs.

        Raises:
            Busy: if two segments of this camera are already on their way.
            EngineDead: if the engine has ended.
        """

        def told(result: Perceived | LookoutError) -> None:
            with self._wake:
                handle.on_their_way -= 1
            if isinstance(result, Perceived) and segment is not None and in_full:
                prefilled = 0 if job.chunk is None else len(job.chunk)
                self._admission.note(handle.number, len(segment.frames), job.size, prefilled)
            self._steps.tell(listener, result)

        job = SegmentJob(handle, segment, told, budget=budget, picture=picture)
        with self._wake:
            if handle.on_their_way >= SEGMENTS_AHEAD:
                raise Busy(f"{SEGMENTS_AHEAD} segments of this camera are on their way")
            self._submit(
                lambda: self._steps.accept_segment(job), lambda error: self._steps.lose(job, error)
            )
            handle.on_their_way += 1

    def ask(self, handle: MemoryHandle, ask: Ask, listener: AnswerListener) -> AnswerHandle:
        """Start an answer on what the camera remembers when its turn comes.

        Raises:
            Busy: if too many answers are being given or waited for.
            EngineDead: if the engine has ended.
        """
        place = self._places.take(listener)
        answer = AnswerHandle(handle, ask, place)
        try:
            self._submit(
                lambda: self._steps.accept(answer), lambda error: self._steps.lose(answer, error)
            )
        except EngineDead:
            place.give_back()
            raise
        return answer

    def cancel(self, answer: AnswerHandle) -> None:
        """Stop an answer within one token. Idempotent, from any thread, returns at once."""
        answer.cancelled = True
        with self._wake:
            self._wake.notify()

    def close(self, timeout: float = 10.0) -> None:
        """End all work and the thread; idempotent. Waits at most `timeout` seconds."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout)
            if self._thread.is_alive():
                log.warning("the engine still computes after %g s and is left behind", timeout)

    def _submit(
        self,
        run: Callable[[], None],
        failed: Callable[[LookoutError], None] = nobody,
        *,
        even_when_closing: bool = False,
    ) -> None:
        with self._wake:
            if self._dead is not None or self._closing:
                if even_when_closing:
                    return  # everything was, or is about to be, given back
                raise self._dead or EngineDead("the engine is closed")
            self._inbox.append(Command(run, failed))
            self._wake.notify()

    def _run(self) -> None:
        try:
            while True:
                self._steps.sweep()
                with self._wake:
                    self._turn = None
                    while not (self._inbox or self._closing or self._steps.busy):
                        if not self._wake.wait(self._work.patience):
                            break  # something may have come from the disk
                    if self._closing:
                        break
                    due = len(self._inbox)  # those that come meanwhile wait for the next step
                self._turn = time.monotonic()
                for _ in range(due):  # one by one: if the engine dies of one, the rest is told
                    self._inbox.popleft().perform()
                self._steps.step()
        except BaseException as error:
            log.exception("the engine died")
            self._die(EngineDead(f"the engine died: {type(error).__name__}"))
        else:
            self._die(EngineDead("the engine is closed"))

    def _die(self, reason: EngineDead) -> None:
        with self._wake:
            self._dead = reason
            commands = list(self._inbox)
            self._inbox.clear()
        for command in commands:  # so that every handle submitted is in the work and is told
            command.perform_last(reason)
        self._steps.abandon(reason)
