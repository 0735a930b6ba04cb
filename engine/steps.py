"""One step of the engine: ask the scheduler, run, move jobs to their next stage.

Runs on the engine's thread only. A failure ends what it hit (a segment, an answer), nothing else.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from torch import Tensor

from core.errors import (
    AnswerError,
    Busy,
    CapacityExceeded,
    EngineDead,
    FrameError,
    GenerationFailed,
    LookoutError,
    MemoryDamaged,
    MemoryLost,
    MemoryNotSaved,
)
from engine.failing import Failures, relief
from engine.jobs import AnswerHandle, MemoryHandle, SegmentJob, detached
from engine.limits import Limits
from engine.noting import NoteTaker, Noting, told
from engine.pace import Load
from engine.perception import Perception
from engine.planning import planned
from engine.requests import FinishReason, Perceived, PerceiveListener, SaveListener
from engine.runner import Row, Runner
from engine.sampling import Logits, Next
from engine.scheduler import Scheduler, StepPlan
from engine.speaking import DEFAULT, Speaking
from engine.speech import Speech
from engine.work import Work
from memory.saving.state import MemoryState

Given = ParamSpec("Given")
Told = TypeVar("Told")
Job = SegmentJob | AnswerHandle


class Steps:
    """Moves all work on, one step at a time."""

    def __init__(
        self,
        runner: Runner,
        scheduler: Scheduler,
        work: Work,
        limits: Limits,
        speaking: Speaking = DEFAULT,
        noting: Noting | None = None,
    ) -> None:
        self._runner = runner
        self._perception = Perception(runner)
        self._speech = Speech(runner, limits.prompt_tokens, speaking)
        self._scheduler = scheduler
        self._work = work
        self._limits = limits
        self.counters: Counter[str] = Counter()
        self._busy_ms = 0.0
        self._failures = Failures(self.counters, relief(runner.model.device))
        self._notes = None if noting is None else NoteTaker(runner, noting, self.counters)

    def accept(self, answer: AnswerHandle) -> None:
        """A new answer, first come first served."""
        self._work.waiting.append(answer)

    def accept_segment(self, job: SegmentJob) -> None:
        """A new segment; one that no model could see is lost at once."""
        job.handle.segments.append(job)
        if job.handle.closed:
            self._lose(job, job.handle.why)
        elif job.segment is not None:
            self._guard(job, self._perception.measure, job)

    def sweep(self) -> None:
        """End what was cancelled or lost its camera."""
        for answer in list(self._work.everyone()):
            if answer.cancelled:
                self._end(answer, "cancelled")
            elif answer.memory.closed:
                self._end(answer, "error", GenerationFailed(str(answer.memory.why)))
        if self._notes is not None:
            self._notes.sweep()
        self._forget_finished()

    @property
    def busy(self) -> bool:
        """Whether a step could do something: what somebody wants, or else a note."""
        return self._work.anything or self._may_note()

    def step(self) -> None:
        """Admit, plan, run; if nobody wants anything, go on with a note."""
        began, failures = time.monotonic(), self.counters["failures"]
        if self._may_note():
            self._note()
        self.sweep()
        self._admit()
        self._lay_out()
        plan = planned(self._work, self._scheduler)
        self._runner.watch.start()
        if self._runner.lane.beside:  # what is launched first runs beside the rest
            encoded = self._encode(plan)
            self._forward(plan)
        else:
            self._forward(plan)
            encoded = self._encode(plan)
        load = Load(len(plan.decode), sum(tokens for _, tokens in plan.prefill), encoded)
        if self.counters["failures"] != failures:
            load = Load()  # it says nothing of what such a step costs
        timed = self._runner.watch.stop(load) if load != Load() else []
        for done, ms in timed:
            self._scheduler.note(done, ms)
        self._forget_finished()
        self.counters["steps"] += 1
        whole = (time.monotonic() - began) * 1000
        self._busy_ms += whole  # single steps may take less than a millisecond
        self.counters["busy_ms"] = int(self._busy_ms)
        if timed:
            self._scheduler.took(whole)

    def tell(self, listener: Callable[[Told], None], result: Told) -> None:
        """Tell a listener, whose own failure is only logged."""
        self._failures.attempt("a listener failed", listener, result)

    def close_memory(self, handle: MemoryHandle) -> None:
        """Release a camera's memory and end its segments; answers are swept."""
        handle.closed = True
        self._scheduler.leave(handle.number)
        for job in list(handle.segments):
            self._lose(job, handle.why)
        if handle.memory is not None:
            handle.memory.release()
            handle.memory = handle.bank = None
        if handle in self._work.memories:
            self._work.memories.remove(handle)
        if self._notes is not None:
            self._notes.drop(handle)
        self.sweep()

    def lose(self, job: Job, error: LookoutError) -> None:
        """End a segment or an answer that could not even be accepted."""
        self._fail(job, error)
        self._forget_finished()

    def restore(self, handle: MemoryHandle, state: MemoryState, listener: PerceiveListener) -> None:
        """Fill a new memory with what one held before, instead of the fixed beginning alone."""
        memory = handle.memory
        assert memory is not None, "it was just made"
        lost = self._failures.attempt("a memory could not be restored", memory.restore, state)
        if lost is not None:
            self.close_memory(handle)
            if isinstance(lost, Busy):  # what was saved is not to blame, and is not put aside
                lost = CapacityExceeded("no memory is left to restore it")
            elif isinstance(lost, GenerationFailed):
                lost = MemoryDamaged(f"it could not be restored: {lost}")
            listener(lost)
            return
        for note in memory.notes:
            handle.on_note(told(self._runner.model, note))
        t_end, archive = memory.extent().t_end, memory.archive
        holdings = None if archive is None else archive.holdings
        listener(Perceived(0, 0, 0, 0, memory.held, memory.seen, t_end, 0.0, archived=holdings))

    def save(self, handle: MemoryHandle, listener: SaveListener) -> None:
        """Copy what a camera's memory holds; a failure hits this copy and nothing else."""
        if handle.memory is None:
            listener(handle.why)
            return
        state = self._failures.attempt("a memory could not be copied", handle.memory.state)
        if isinstance(state, LookoutError):
            state = MemoryNotSaved(f"the memory could not be copied: {state}")
        listener(state)

    def abandon(self, reason: EngineDead) -> None:
        """Tell everybody that the engine has ended and release everything."""
        for answer in list(self._work.everyone()):
            self._end(answer, "error", reason)
        self._work.answers.clear()
        self._work.waiting.clear()
        for handle in list(self._work.memories):
            for job in list(handle.segments):
                self._lose(job, reason)
            self.close_memory(handle)

    def _admit(self) -> None:
        """Give waiting answers a place, if their camera's memory is ready."""
        for answer in list(self._work.waiting):
            if len(self._work.answers) >= self._limits.answers:
                return
            memory = answer.memory.memory
            if memory is None or memory.held == 0:
                continue  # the camera is only just being opened
            self._work.waiting.remove(answer)
            self._work.answers.append(answer)
            self._guard(answer, self._speech.begin, answer)

    def _lay_out(self) -> None:
        """Everything that needs no forward: pictures of questions, layouts, empty segments."""
        for answer in self._work.answers:
            if answer.over or answer.chunk is not None:
                continue
            if answer.images is None:
                self._guard(answer, self._speech.see, answer)
            if not answer.over:
                self._guard(answer, self._speech.lay_out, answer)
        held_up = {a.memory for a in self._work.answers if self._speech.holds_up(a)}
        for job in list(self._work.segments()):
            if job.handle in held_up:
                continue
            if job.chunk is None:
                self._guard(job, self._lay_out_segment, job)

    def _seen(self, job: SegmentJob) -> bool:
        """Whoever speaks does not wait for the eye; the watching has nothing better to do."""
        return self._perception.seen(job, patient=not self._work.answers)

    def _may_note(self) -> bool:
        work = self._work
        wanted = work.anything or work.answers or work.waiting
        return self._notes is not None and not wanted and self._notes.due(work.memories)

    def _note(self) -> None:
        """Go on with a note; if it fails, nothing else does."""
        assert self._notes is not None
        writing = self._failures.attempt("a note failed", self._notes.step, self._work.memories)
        if writing is not None:
            self._notes.fail()
            for handle in list(self._work.memories):
                self._check(handle)

    def _lay_out_segment(self, job: SegmentJob) -> None:
        if job.segment is not None and not self._seen(job):
            return
        self._perception.lay_out(job)
        if job.chunk is None:  # the policy waits for the next step
            self._perception.remember(job)

    def _forward(self, plan: StepPlan) -> None:
        jobs: dict[int, Job] = {j.number: j for j in self._work.segments()}
        jobs |= {a.number: a for a in self._work.answers}
        granted = [(jobs[number], 1) for number in plan.decode]
        granted += [(jobs[number], tokens) for number, tokens in plan.prefill]
        if not granted:
            return
        logits = self._failures.attempt(
            "a packed forward failed; its rows are run one by one", self._packed, granted
        )
        if isinstance(logits, LookoutError):
            self._forward_alone(granted)
            return
        for (job, tokens), come in zip(granted, Logits(logits).each(), strict=True):
            self._count(job, tokens)
            self._guard(job, self._advance, job, tokens, come)

    def _packed(self, granted: list[tuple[Job, int]]) -> Tensor:
        return self._runner.forward([self._row(job, tokens) for job, tokens in granted])

    def _forward_alone(self, granted: list[tuple[Job, int]]) -> None:
        """Find out which row fails and end only that one."""
        for job, tokens in granted:
            self._guard(job, self._forward_one, job, tokens)

    def _forward_one(self, job: Job, tokens: int) -> None:
        if isinstance(job, AnswerHandle) and job.over:
            return
        (come,) = Logits(self._runner.forward([self._row(job, tokens)])).each()
        self._count(job, tokens)
        self._advance(job, tokens, come)

    def _count(self, job: Job, tokens: int) -> None:
        """A row was run, with the others or alone."""
        spoken = tokens if isinstance(job, AnswerHandle) and job.last is not None else 0
        self.counters["decode_tokens"] += spoken
        self.counters["prefill_tokens"] += tokens - spoken

    def _row(self, job: Job, tokens: int) -> Row:
        if isinstance(job, AnswerHandle):
            return self._speech.row(job, tokens)
        return self._perception.row(job, tokens)

    def _advance(self, job: Job, tokens: int, come: Next) -> None:
        if isinstance(job, AnswerHandle):
            if job.cancelled:
                self._end(job, "cancelled")
            elif not job.over:  # its camera may have been lost in this very step
                self._speech.advance(job, tokens, come)
        elif self._perception.advance(job, tokens):
            self._perception.remember(job)

    def _encode(self, plan: StepPlan) -> int:
        """Segments seen at one size share a call; how many visual tokens were seen."""
        chosen = [job for job in self._work.segments() if job.number in plan.encode]
        sizes: dict[tuple[object, ...], list[SegmentJob]] = {}
        for job in chosen:
            assert job.segment is not None
            size = job.segment.frames[0].pixels.shape, job.picture
            sizes.setdefault(size, []).append(job)
        for jobs in sizes.values():
            failed = self._failures.attempt(
                "encoding failed; segments are encoded one by one", self._perception.encode, jobs
            )
            for job in jobs if failed is not None else ():
                self._guard(job, self._perception.encode, [job])
        self.counters["segments_encoded"] += len(chosen)
        return sum(job.size for job in chosen)

    def _guard(
        self, job: Job, stage: Callable[Given, None], /, *given: Given.args, **named: Given.kwargs
    ) -> None:
        """Run a stage; what it raises ends this job only, unless the device itself failed."""
        error = self._failures.attempt("a job failed", stage, *given, **named)
        if error is not None:
            self._fail(job, error)

    def _fail(self, job: Job, error: LookoutError) -> None:
        if isinstance(job, AnswerHandle):
            wrapped = error if isinstance(error, AnswerError) else GenerationFailed(str(error))
            self._end(job, "error", wrapped)
        elif job.is_sink:
            full = CapacityExceeded("the device has no memory left for one more camera")
            self._lose(job, full if isinstance(error, Busy) else error)
            self.close_memory(job.handle)
        elif not self._check(job.handle):
            self._lose(job, FrameError(f"a segment was lost: {error}"))

    def _check(self, handle: MemoryHandle) -> bool:
        """Whether a camera's memory had to be given up; then it goes on with an empty one."""
        if handle.memory is None or not handle.memory.broken:
            return False
        self.counters["memories_lost"] += 1
        handle.why = FrameError("what the camera remembered was damaged; it begins anew")
        self.close_memory(handle)
        handle.closed, handle.why = False, detached()
        failed = self._failures.attempt("a memory could not be made anew", handle.renew)
        if failed is not None:
            handle.closed, handle.why = True, MemoryLost(f"it cannot begin anew: {failed}")
        return True

    def _end(
        self, answer: AnswerHandle, reason: FinishReason, error: LookoutError | None = None
    ) -> None:
        self._failures.attempt("a listener failed", self._speech.end, answer, reason, error)

    def _lose(self, job: SegmentJob, error: LookoutError) -> None:
        self._failures.attempt("a listener failed", self._perception.fail, job, error)

    def _forget_finished(self) -> None:
        self._work.answers = [a for a in self._work.answers if not a.over]
        for answer in [a for a in self._work.waiting if a.over]:
            self._work.waiting.remove(answer)
