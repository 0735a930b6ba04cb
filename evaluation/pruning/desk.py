"""Where questions are answered without a camera: the engine's own parts, without its thread.

The live path encodes, prunes, prefills and remembers a segment at a time. Here tokens are given,
and all that lies between two questions is prefilled in one forward. As long as memory holds
everything, both compute the same: a token attends to what came before it, wherever borders are. So
the memory of a desk is made large enough that nothing is evicted, and pruning alone is measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.jobs import AnswerHandle, MemoryHandle
from engine.requests import Ask, Begun, Ended
from engine.runner import Row, Runner
from engine.sampling import Logits
from engine.speech import Speech
from evaluation.pruning.sharing import SharingReader
from memory.memory import KVMemory
from memory.policies.sink_window import SinkWindow
from memory.pool import PagePool
from memory.readers.reader import Reader
from memory.scratch import Scratch
from models.layout import Chunk, join
from models.vlm import VideoLanguageModel
from pruning.none import Dense
from pruning.online import OnlinePruner

PROMPT: Final = 256  # most tokens of a question
WORDS: Final = 64  # most tokens of an answer; the longest true ones take half of it
_PREFILL: Final = 1024  # tokens of one forward; more would only take memory
_PAGE: Final = 16


class Desk:
    """A model with room for some memories and answers at a time.

    Args:
        model: what answers.
        steps: temporal steps that a memory holds at most; more are never remembered.
        memories: open at once at most.
        answers: given at once at most.
        reader: how attention reads pages.
    """

    def __init__(
        self,
        model: VideoLanguageModel,
        steps: int,
        memories: int,
        answers: int,
        reader: Reader | None = None,
    ) -> None:
        beginning = model.prefix()
        self.memories = memories
        self._capacity = len(beginning) + steps * model.max_step_tokens
        # A snapshot may claim as many pages again as its memory has; every lease rounds up.
        tokens = 2 * memories * (self._capacity + _PAGE) + answers * (PROMPT + WORDS + _PAGE)
        tokens += _PREFILL + model.max_step_tokens + len(beginning) + 2 * _PAGE
        pages = -(-tokens // _PAGE)
        self.pool = PagePool(model.shape, pages, _PAGE, model.device)
        self.runner = Runner(model, self.pool, reader or SharingReader())
        self._speech = Speech(self.runner, PROMPT)
        # Every memory begins alike: computed once, held as long as the desk, copied by `open`.
        self._beginning, self._sink = beginning, Scratch(self.pool, len(beginning))
        self.runner.forward([Row(beginning, None, self._sink)])

    def open(self) -> KVMemory:
        """A memory with the fixed beginning in it; release it."""
        memory = KVMemory(self.pool, self._capacity, SinkWindow())
        memory.append(self._sink.view().slots, _positions(self._beginning), None)
        memory.next_position = self._beginning.next_position
        return memory

    def remember(self, memory: KVMemory, steps: Iterable[Chunk]) -> None:
        """Prefill runs of temporal steps that were laid out one after the other."""
        held: list[Chunk] = []
        for chunk in steps:
            if held and sum(map(len, held)) + len(chunk) > _PREFILL:
                self._remember(memory, join(held))
                held = []
            held.append(chunk)
        if held:
            self._remember(memory, join(held))

    def answer(self, asked: Sequence[tuple[KVMemory, Sequence[str]]]) -> list[list[str]]:
        """The answers to some questions of some memories, each question put alone.

        Args:
            asked: memories, and the questions to each.

        Raises:
            LookoutError: if an answer failed.
        """
        heard = [[Heard() for _ in texts] for _, texts in asked]
        answers: list[AnswerHandle] = []
        try:
            for (memory, texts), listeners in zip(asked, heard, strict=True):
                answers += self._begun(memory, texts, listeners)
            while running := [answer for answer in answers if not answer.over]:
                sizes = [1 if one.last is not None else _length(one) for one in running]
                rows = [self._speech.row(one, n) for one, n in zip(running, sizes, strict=True)]
                come = Logits(self.runner.forward(rows)).each()
                for one, n, after in zip(running, sizes, come, strict=True):
                    self._speech.advance(one, n, after)
        finally:
            for answer in answers:
                self._speech.end(answer, "cancelled")
        return [[listener.result() for listener in listeners] for listeners in heard]

    def _begun(
        self, memory: KVMemory, texts: Sequence[str], listeners: Sequence[Heard]
    ) -> list[AnswerHandle]:
        """Answers that read one snapshot: nothing is written while they are given."""
        handle, snapshot = MemoryHandle(OnlinePruner(Dense(), 1), memory=memory), memory.snapshot()
        answers = []
        for text, listener in zip(texts, listeners, strict=True):
            answer = AnswerHandle(handle, Ask(text, max_tokens=WORDS), listener, snapshot=snapshot)
            self._speech.see(answer)
            self._speech.lay_out(answer)
            answers.append(answer)
        return answers

    def _remember(self, memory: KVMemory, chunk: Chunk) -> None:
        scratch = Scratch(self.pool, len(chunk))
        try:
            self.runner.forward([Row(chunk, memory.view(), scratch)])
            times = chunk.times.numpy()
            evicted = memory.append(scratch.view().slots, _positions(chunk), times)
            assert not evicted, "a desk's memory holds all there is"
            memory.next_position = chunk.next_position
        finally:
            scratch.release()


class Heard:
    """Listens to one answer."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._ended: Ended | None = None

    def begun(self, begun: Begun) -> None:
        """Nothing to note."""

    def delta(self, text: str) -> None:
        """Some more text."""
        self._parts.append(text)

    def ended(self, ended: Ended) -> None:
        """The answer is over."""
        self._ended = ended

    def result(self) -> str:
        """All of it.

        Raises:
            LookoutError: if it failed.
        """
        assert self._ended is not None, "an answer was left before its end"
        if self._ended.error is not None:
            raise self._ended.error
        return "".join(self._parts)


def _positions(chunk: Chunk) -> NDArray[np.int64]:
    """As a memory wants them, [n, 3]."""
    positions: NDArray[np.int64] = chunk.positions.T.contiguous().numpy()
    return positions


def _length(answer: AnswerHandle) -> int:
    assert answer.chunk is not None
    return len(answer.chunk)
