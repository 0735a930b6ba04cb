"""Several memories that watch one stream side by side: the engine's parts, without its thread.

What a comparison of memories needs: pictures are encoded once, every memory gets the same visual
tokens, prunes, prefills and remembers them as the engine would, and segments of all memories go
through one packed forward. Answers are given as the engine gives them. All on the caller's thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch

from core.errors import LookoutError
from core.frames import Segment
from core.tokens import VisualTokens
from engine.jobs import AnswerHandle, MemoryHandle, SegmentJob
from engine.limits import Limits
from engine.perception import Perception
from engine.recalling import Recalling
from engine.requests import Ask, Begun, Ended, Perceived
from engine.runner import Row, Runner
from engine.sampling import Logits
from engine.speech import Speech
from memory.memory import KVMemory
from memory.policies.policy import MemoryPolicy
from memory.pool import PagePool
from memory.readers.reader import Reader
from memory.readers.torch_reader import TorchReader
from models.vlm import VideoLanguageModel
from pruning.online import OnlinePruner
from pruning.policy import PruningPolicy

PROMPT: Final = 256  # most tokens of a question


@dataclass(frozen=True, slots=True)
class Place:
    """One memory of a comparison.

    Args:
        name: unique.
        eviction: what it gives up when it is full.
        capacity: tokens of the hot memory.
        recalling: how what it gives up is archived and read again; None loses it.
    """

    name: str
    eviction: MemoryPolicy
    capacity: int
    recalling: Recalling | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer.

    Args:
        text: of it.
        begun: what it read.
    """

    text: str
    begun: Begun


class SideBySide:
    """A model with room for some memories of one stream. Use as a context manager.

    Args:
        model: what watches and answers.
        places: the memories; none is open at first.
        pruning: which visual tokens are kept, for all alike.
        budget: of visual tokens per temporal step.
        segment_steps: temporal steps of a segment at most.
        answers: given at once by each memory at most.
        words: tokens of an answer at most.
        page_size: slots per page.
        reader: how attention reads pages.

    Raises:
        CapacityExceeded: if the device has no room for them.
    """

    def __init__(
        self,
        model: VideoLanguageModel,
        places: Sequence[Place],
        pruning: PruningPolicy,
        budget: int,
        *,
        segment_steps: int = 2,
        answers: int = 4,
        words: int = 64,
        page_size: int = 16,
        reader: Reader | None = None,
    ) -> None:
        self.model = model
        self.places = {place.name: place for place in places}
        self.answers = answers
        self._words = words
        self._pruning = pruning, budget
        pages = sum(self._limits(p, segment_steps, page_size) for p in places)
        self.pool = PagePool(model.shape, pages, page_size, model.device)
        self._runner = Runner(model, self.pool, reader or TorchReader())
        self._perception = Perception(self._runner)
        self._speech = Speech(self._runner, PROMPT)
        self._handles: dict[str, MemoryHandle] = {}

    def __enter__(self) -> SideBySide:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def open_names(self) -> tuple[str, ...]:
        """The memories that are open, in order."""
        return tuple(self._handles)

    @torch.inference_mode()
    def open(self, names: Iterable[str]) -> None:
        """Begin some memories, each with the fixed beginning in it.

        Raises:
            ValueError: if one of them is open.
        """
        jobs = []
        for name in names:
            if name in self._handles:
                raise ValueError(f"{name} is open")
            place = self.places[name]
            archive = None if place.recalling is None else place.recalling.archive(self.model)
            memory = KVMemory(
                self.pool,
                place.capacity,
                place.eviction,
                self.model.rotation,
                archive,
                Limits(prompt_tokens=PROMPT, answer_tokens=self._words).reach(self.model.reach),
            )
            handle = MemoryHandle(
                OnlinePruner(*self._pruning), memory=memory, recalling=place.recalling
            )
            self._handles[name] = handle
            jobs.append(SegmentJob(handle, None, _told, is_sink=True))
        self._run(jobs)

    def drop(self, name: str) -> None:
        """Give one memory back; one that is not open is none."""
        handle = self._handles.pop(name, None)
        if handle is not None and handle.memory is not None:
            handle.memory.release()

    def close(self) -> None:
        """Give all back. Idempotent."""
        for name in self.open_names:
            self.drop(name)

    def memory(self, name: str) -> KVMemory:
        """An open memory, to be looked at."""
        found = self._handles[name].memory
        assert found is not None
        return found

    def held_bytes(self, name: str) -> int:
        """Bytes of what an open memory and its archive hold now."""
        memory = self.memory(name)
        frozen = 0 if memory.archive is None else memory.archive.bytes
        return memory.held * self.model.shape.bytes_per_token + frozen

    @torch.inference_mode()
    def perceive(self, segment: Segment, seen: Mapping[str, VisualTokens]) -> None:
        """Let open memories take in one segment.

        Args:
            segment: the frames.
            seen: by memory the dense visual tokens it is given of them, with attention if the
                pruning policy needs it.

        Raises:
            LookoutError: if a memory could not take them.
        """
        jobs = [SegmentJob(self._handles[name], segment, _told) for name in seen]
        for job, tokens in zip(jobs, seen.values(), strict=True):
            job.tokens = tokens
        self._run(jobs)

    @torch.inference_mode()
    def ask(self, puts: Sequence[tuple[str, str]], words: int | None = None) -> list[Answered]:
        """Answers to questions of open memories, each put alone, all given at once.

        Args:
            puts: memory and question; of one memory at most `answers`.
            words: tokens of an answer at most, if fewer than usual.

        Raises:
            LookoutError: if an answer failed.
        """
        most = min(words or self._words, self._words)
        heard = [_Heard() for _ in puts]
        answers = [
            AnswerHandle(self._handles[name], Ask(text, max_tokens=most), listener)
            for (name, text), listener in zip(puts, heard, strict=True)
        ]
        try:
            for answer in answers:
                self._speech.begin(answer)
                self._speech.see(answer)
                self._speech.lay_out(answer)
            while running := [one for one in answers if not one.over]:
                self._speak(running)
        finally:
            for answer in answers:
                self._speech.end(answer, "cancelled")
        return [listener.result() for listener in heard]

    def _speak(self, running: Sequence[AnswerHandle]) -> None:
        sizes = [1 if one.last is not None else _length(one) for one in running]
        rows = [self._speech.row(one, n) for one, n in zip(running, sizes, strict=True)]
        come = Logits(self._runner.forward(rows)).each()
        for one, n, after in zip(running, sizes, come, strict=True):
            self._speech.advance(one, n, after)

    def _run(self, jobs: Sequence[SegmentJob]) -> None:
        """Prune, lay out, prefill in one packed forward, remember."""
        try:
            rows: list[Row] = []
            sized = []
            for job in jobs:
                job.handle.segments.append(job)
                self._perception.lay_out(job)
                if job.chunk is not None:
                    rows.append(self._perception.row(job, len(job.chunk)))
                    sized.append((job, len(job.chunk)))
            if rows:
                self._runner.forward(rows)
            for job, tokens in sized:
                self._perception.advance(job, tokens)
            for job in jobs:
                self._perception.remember(job)
        finally:
            for job in jobs:
                self._perception.finish(job)

    def _limits(self, place: Place, segment_steps: int, page_size: int) -> int:
        limits = Limits(
            cameras=1,
            answers=self.answers,
            capacity=place.capacity,
            prompt_tokens=PROMPT,
            answer_tokens=self._words,
            segment_steps=segment_steps,
            page_size=page_size,
            recall_budget=0 if place.recalling is None else place.recalling.budget,
        )
        beginning = -(-len(self.model.prefix()) // page_size)  # prefilled before it is remembered
        pages = limits.pages(self.model.max_step_tokens, self.model.marker_tokens)
        return pages + 2 * beginning  # and once more when the sink moves


class _Heard:
    """Listens to one answer."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._begun: Begun | None = None
        self._ended: Ended | None = None

    def begun(self, begun: Begun) -> None:
        """It took its snapshot."""
        self._begun = begun

    def delta(self, text: str) -> None:
        """Some more text."""
        self._parts.append(text)

    def ended(self, ended: Ended) -> None:
        """It is over."""
        self._ended = ended

    def result(self) -> Answered:
        """All of it.

        Raises:
            LookoutError: if it failed.
        """
        assert self._ended is not None, "an answer was left before its end"
        if self._ended.error is not None:
            raise self._ended.error
        assert self._begun is not None
        return Answered("".join(self._parts), self._begun)


def _told(result: Perceived | LookoutError) -> None:
    """Nothing failed silently: what fails here raises, so only a success is ever told."""
    assert not isinstance(result, LookoutError)


def _length(answer: AnswerHandle) -> int:
    assert answer.chunk is not None
    return len(answer.chunk)
