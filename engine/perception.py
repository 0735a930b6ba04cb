"""How a segment enters a camera's memory: see, prune, lay out, prefill, remember.

Runs on the engine's thread only.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from core.errors import FrameError, LookoutError
from core.kept import KeptStep
from core.tokens import VisualTokens
from engine.bank import banked
from engine.jobs import MemoryHandle, SegmentJob
from engine.limits import PROXY
from engine.requests import Perceived
from engine.runner import Row, Runner
from memory.memory import KVMemory
from memory.notes import before
from memory.observation import Observed
from memory.policies.policy import Observes
from memory.scratch import Scratch
from models.layout import Chunk, join

# Positions that may lie between the sink and the oldest step. More would lead a model, in hours,
# to distances it was never trained on; less would move the sink more often than need be.
DRIFT = 4096


class Perception:
    """The stages of a `SegmentJob`; one that fails leaves its camera's memory as it was."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def measure(self, job: SegmentJob) -> None:
        """Say how many visual tokens a segment will be.

        Raises:
            FrameError: if no model could see it.
        """
        assert job.segment is not None
        frames = job.segment.frames
        height, width = job.picture or frames[0].pixels.shape[:2]
        try:
            per_step = self._runner.model.step_tokens(height, width)
        except ValueError as error:
            raise FrameError(str(error)) from None
        job.size = per_step * -(-len(frames) // self._runner.model.frames_per_step)

    def encode(self, jobs: list[SegmentJob]) -> None:
        """See the segments of several cameras in one call; all must be seen at one size."""
        policies = [job.handle.pruner.policy for job in jobs]
        segments = [job.segment for job in jobs if job.segment is not None]
        seeing = self._runner.see(
            segments,
            attention=any(policy.needs_attention for policy in policies),
            pixels=any(policy.needs_pixels for policy in policies),
            size=jobs[0].picture,
        )
        for job, one in zip(jobs, seeing, strict=True):
            job.seeing = one

    def seen(self, job: SegmentJob, *, patient: bool) -> bool:
        """Whether its pictures were seen; makes nobody wait for that who is not patient."""
        if job.seeing is not None and (patient or job.seeing.ready):
            job.tokens, job.seeing = job.seeing.take(), None
        return job.tokens is not None

    def lay_out(self, job: SegmentJob) -> None:
        """Prune what was seen (or flush) and lay out the steps that could be decided.

        If it fails, this segment's pictures are as if they had never come.
        """
        handle = job.handle
        before, held_back = handle.pruner.mark(), handle.held_back
        try:
            job.chunk = self._runner.model.prefix() if job.is_sink else self._decide(job)
            self._make_ready(job)
        except BaseException:
            handle.pruner.rewind(before)
            handle.held_back = held_back
            raise

    def _decide(self, job: SegmentJob) -> Chunk | None:
        """What the pruner says now; None if it waits for the next step."""
        handle, model = job.handle, self._runner.model
        pruner, position = handle.pruner, _memory(handle).next_position
        encoded, kept = pruner.encoded, pruner.kept
        pruner.budget = job.budget or pruner.budget
        decided = pruner.push(job.tokens) if job.tokens is not None else pruner.flush()
        job.encoded, job.kept = pruner.encoded - encoded, pruner.kept - kept
        job.frames = self._decided_frames(job)
        job.steps = tuple(step for run in decided for step in kept_steps(run))
        chunks = []
        for steps in decided:
            chunks.append(model.lay_steps(steps, position))
            position = chunks[-1].next_position
        if handle.bank is not None:
            job.banked = [step for steps in decided for step in banked(steps)]
        return join(chunks) if chunks else None

    def _make_ready(self, job: SegmentJob) -> None:
        """Everything that the prefill needs."""
        memory = _memory(job.handle)
        job.tokens = None
        if job.chunk is not None:
            job.forgotten = memory.keep_within_reach(job.chunk.next_position)
            if memory.drift() > DRIFT or memory.sink_strays(job.chunk.next_position):
                self._move_sink(memory)
            job.scratch = Scratch(self._runner.pool, len(job.chunk))
            job.observed = _watched(memory)

    def row(self, job: SegmentJob, tokens: int) -> Row:
        """The next `tokens` of the job's chunk, ready for a forward."""
        assert job.chunk is not None
        assert job.scratch is not None
        part = job.chunk.part(job.done, job.done + tokens)
        view = _memory(job.handle).view()
        return Row(part, view, job.scratch, job.observed, visual_only=True)

    def advance(self, job: SegmentJob, tokens: int) -> bool:
        """Note that `tokens` more were prefilled; True when all of them are."""
        assert job.chunk is not None
        job.done += tokens
        return job.done >= len(job.chunk)

    def remember(self, job: SegmentJob) -> None:
        """Move the prefilled tokens into memory, bring it under capacity, tell the listener."""
        memory, evicted = _memory(job.handle), job.forgotten
        if job.chunk is not None and job.scratch is not None:
            times = None if job.is_sink else job.chunk.times.numpy()
            if memory.policy.observes is Observes.PROXY and memory.overflows(len(job.chunk)):
                job.observed = self._proxy(memory)
            evicted += memory.append(
                job.scratch.view().slots,
                _positions(job.chunk),
                times,
                job.chunk.visual.numpy(),
                job.observed,
            )
            # What was said meanwhile may have moved it on.
            memory.next_position = max(memory.next_position, job.chunk.next_position)
        if job.handle.bank is not None:
            job.handle.bank.keep(job.banked)
        job.handle.unnoted.add(job.steps)
        self.finish(job)
        job.listener(
            Perceived(
                frames=job.frames,
                encoded=job.encoded,
                kept=job.kept,
                evicted=evicted,
                held=memory.held,
                seen=memory.seen,
                t_end=memory.extent().t_end,
                seconds=time.monotonic() - job.submitted,
                archived=None if memory.archive is None else memory.archive.holdings,
                steps=job.steps,
            )
        )

    def fail(self, job: SegmentJob, error: LookoutError) -> None:
        """Give up on this segment; its camera's memory is as it was before."""
        self.finish(job)
        job.listener(error)

    def finish(self, job: SegmentJob) -> None:
        """Release what the job holds and leave its camera's queue. Idempotent."""
        if job.scratch is not None:
            job.scratch.release()
            job.scratch = None
        if job in job.handle.segments:
            job.handle.segments.remove(job)

    def _move_sink(self, memory: KVMemory) -> None:
        """Compute the fixed beginning anew, right before the oldest step held.

        Notes about what came before that step come along, as text after the fixed beginning.
        Keys of the same tokens at other positions differ by a rotation only, so nothing is lost;
        and nothing adds up, as it would if stored keys were rotated again and again.
        """
        model = self._runner.model
        room = DRIFT // 2 if memory.archive is not None else 0  # for what is thawed between
        notes = before(memory.notes, memory.tokens, memory.oldest_position())
        own = len(model.prefix()) + sum(map(len, notes))
        if memory.reach is not None:
            room = max(0, min(room, memory.reach.slack - own))
        sink = model.prefix(memory.oldest_position() - room - own)
        ids = [i for note in notes for i in note.ids]
        chunk = join([sink, model.lay_text(ids, sink.next_position)]) if ids else sink
        scratch = Scratch(self._runner.pool, len(chunk))
        try:
            self._runner.forward([Row(chunk, None, scratch)])
            slots, positions = scratch.view().slots, _positions(chunk)
            with memory.change():
                memory.move_sink(slots[: len(sink)], positions[: len(sink)])
                if notes:
                    memory.move_notes(notes, slots[len(sink) :], positions[len(sink) :])
        finally:
            scratch.release()

    def _proxy(self, memory: KVMemory) -> Observed:
        """What the words that open every answer would look at, were they said now."""
        model = self._runner.model
        chunk = model.lay_text(model.question_ids("", (), "")[-PROXY:], memory.next_position)
        observed = Observed(memory.policy.queries)
        scratch = Scratch(self._runner.pool, len(chunk))
        try:
            self._runner.forward([Row(chunk, memory.view(), scratch, observed)])
        finally:
            scratch.release()
        return observed

    def _decided_frames(self, job: SegmentJob) -> int:
        handle = job.handle
        arrived = handle.held_back + (len(job.segment.frames) if job.segment is not None else 0)
        waits = handle.pruner.policy.delay if job.segment is not None else 0
        handle.held_back = min(arrived, waits * self._runner.model.frames_per_step)
        return arrived - handle.held_back


def kept_steps(tokens: VisualTokens) -> list[KeptStep]:
    """Which places each temporal step still has."""
    size = tokens.grid.per_step
    cells: list[list[int]] = [[] for _ in tokens.times]
    for place in tokens.index.tolist():
        cells[place // size].append(place % size)
    return [
        KeptStep(time, tokens.grid.h, tokens.grid.w, tuple(kept))
        for time, kept in zip(tokens.times, cells, strict=True)
    ]


def _positions(chunk: Chunk) -> NDArray[np.int64]:
    """As a memory wants them, [n, 3]."""
    positions: NDArray[np.int64] = chunk.positions.T.contiguous().numpy()
    return positions


def _watched(memory: KVMemory) -> Observed | None:
    """What a prefill notes for the memory's policy."""
    observes = memory.policy.observes
    if observes is Observes.NEWEST:
        return Observed(memory.policy.queries)
    return Observed(0, states=True) if observes is Observes.STATES else None


def _memory(handle: MemoryHandle) -> KVMemory:
    assert handle.memory is not None, "a job outlived its camera's memory"
    return handle.memory
