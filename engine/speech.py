"""How an answer is given: snapshot, prefill the question in private pages, decode, release.

Where a selector chooses what is read, the snapshot is of the sink alone and of the bank, and what
was chosen is prefilled before the question, in the same private pages.

Runs on the engine's thread only.
"""

from __future__ import annotations

import time

import torch
from torch import Tensor

from core.errors import (
    AnswerError,
    Busy,
    CapacityExceeded,
    GenerationFailed,
    LookoutError,
    QuestionTooLong,
)
from engine.detokenizer import Detokenizer
from engine.jobs import AnswerHandle
from engine.recalling import Recalled, put, recall
from engine.requests import Ask, Begun, Ended, FinishReason
from engine.runner import Row, Runner
from engine.sampling import sample
from memory.scratch import Scratch
from models.layout import Chunk, join


class Speech:
    """The stages of an answer.

    Args:
        runner: model and pool.
        prompt_tokens: most tokens of a question with its history and pictures.
    """

    def __init__(self, runner: Runner, prompt_tokens: int) -> None:
        self._runner = runner
        self._prompt_tokens = prompt_tokens

    def begin(self, answer: AnswerHandle) -> None:
        """Take the snapshot.

        Raises:
            Busy: if the pool has no pages left to promise.
        """
        memory, bank = answer.memory.memory, answer.memory.bank
        assert memory is not None
        try:
            answer.snapshot = memory.snapshot(sink_only=bank is not None)
        except CapacityExceeded as error:
            raise Busy(f"no memory is left for another answer: {error}") from error
        answer.bank = bank.steps if bank is not None else ()
        answer.archived = memory.archive.steps if memory.archive is not None else ()

    def see(self, answer: AnswerHandle) -> None:
        """Encode the question's own pictures.

        Raises:
            GenerationFailed: if one has a shape that no model can see.
        """
        model = self._runner.model
        for pixels in answer.ask.images:
            try:
                model.step_tokens(*pixels.shape[:2])
            except ValueError as error:
                raise GenerationFailed(f"a picture cannot be seen: {error}") from None
        answer.images = [model.encode_image(pixels) for pixels in answer.ask.images]

    def lay_out(self, answer: AnswerHandle) -> None:
        """Lay out what was chosen and the question after the snapshot; lease the private pages.

        Raises:
            QuestionTooLong: if it exceeds the prompt limit.
            GenerationFailed: if it has no words to choose by.
            Busy: if the pool has no pages left to promise.
        """
        assert answer.snapshot is not None
        view, extent = answer.snapshot.view, answer.snapshot.extent
        read = self._read(answer, extent.next_position)
        prompt = self._prompt(answer, extent.next_position if read is None else read.next_position)
        chunk = prompt if read is None else join([read, prompt])
        try:
            recalled = self._recall(answer)
            private = len(recalled) + len(chunk) + answer.ask.max_tokens
            answer.scratch = Scratch(self._runner.pool, private)
        except CapacityExceeded as error:
            raise Busy(f"no memory is left for another answer: {error}") from error
        put(self._runner, recalled, answer.scratch)
        answer.chunk, answer.position = chunk, chunk.next_position
        answer.text = Detokenizer(self._runner.model.detokenize)
        answer.generator = _generator(answer.ask)
        answer.listener.begun(
            Begun(
                prompt_tokens=len(prompt),
                memory_tokens=view.length + len(recalled) + len(chunk) - len(prompt),
                t_start=extent.t_start if read is None else float(read.times[0]),
                t_end=extent.t_end if read is None else float(read.times[-1]),
                queue_seconds=time.monotonic() - answer.submitted,
                recalled=recalled.stretches,
            )
        )

    def row(self, answer: AnswerHandle, tokens: int) -> Row:
        """The next part of the question, or the token said last."""
        assert answer.snapshot is not None
        assert answer.scratch is not None
        if answer.last is not None:
            chunk = self._runner.model.lay_text([answer.last], answer.position)
            return Row(chunk, answer.snapshot.view, answer.scratch)
        assert answer.chunk is not None
        part = answer.chunk.part(answer.done, answer.done + tokens)
        return Row(part, answer.snapshot.view, answer.scratch)

    def advance(self, answer: AnswerHandle, tokens: int, logits: Tensor) -> None:
        """Note what the forward did; says the next token when the question has been read.

        Args:
            answer: whose row it was.
            tokens: of that row.
            logits: of its last token, float32 [vocab].
        """
        assert answer.chunk is not None
        if answer.last is None:
            answer.done += tokens
            if answer.done < len(answer.chunk):
                return
        else:
            answer.position += 1
        model = self._runner.model
        if model.silence is not None and not answer.said:
            logits = logits.clone()  # who asks once is answered
            logits[model.silence] += model.silence_bias if answer.ask.standing else -torch.inf
        self._say(answer, sample(logits, answer.ask.temperature, answer.generator))

    def end(
        self, answer: AnswerHandle, reason: FinishReason, error: LookoutError | None = None
    ) -> None:
        """Release everything and tell the listener, once."""
        if answer.over:
            return
        answer.over, answer.bank, answer.archived = True, (), ()
        if answer.snapshot is not None:
            answer.snapshot.release()
        if answer.scratch is not None:
            answer.scratch.release()
        if answer.text is not None and reason != "error" and (rest := answer.text.flush()):
            answer.listener.delta(rest)
        answer.listener.ended(Ended(reason, answer.said, answer.last_at - answer.first_at, error))

    def fail(self, answer: AnswerHandle, error: AnswerError) -> None:
        """End it with an error."""
        self.end(answer, "error", error)

    def _read(self, answer: AnswerHandle, position: int) -> Chunk | None:
        """What the selector chose of the bank, from `position` on; None if there is nothing."""
        selecting, steps, answer.bank = answer.memory.selecting, answer.bank, ()
        if selecting is None:
            return None
        chosen = selecting.choose(self._runner.model, steps, answer.ask.text)
        return None if chosen is None else self._runner.model.lay_steps(chosen, position)

    def _recall(self, answer: AnswerHandle) -> Recalled:
        """What the question reads of the archive; nothing if it does not ask for the past."""
        recalling, steps, answer.archived = answer.memory.recalling, answer.archived, ()
        if recalling is None or answer.ask.standing:  # what is awaited is not in the past
            return Recalled()
        if not recalling.gate.opens(answer.ask.text):
            return Recalled()
        assert answer.snapshot is not None
        return recall(self._runner, answer.snapshot, steps, answer.ask.text, recalling.budget)

    def _prompt(self, answer: AnswerHandle, position: int) -> Chunk:
        """The question with its pictures, from `position` on.

        Raises:
            QuestionTooLong: if it exceeds the prompt limit.
        """
        model, ask, chunks = self._runner.model, answer.ask, []
        for picture in answer.images or []:
            chunks.append(model.lay_image(picture, position))
            position = chunks[-1].next_position
        ids = model.question_ids(ask.text, ask.history, ask.instructions)
        prompt = join([*chunks, model.lay_text(ids, position)])
        if len(prompt) > self._prompt_tokens:
            raise QuestionTooLong(
                f"the question with its history takes {len(prompt)} tokens, at most "
                f"{self._prompt_tokens} fit: shorten it or raise engine.prompt_tokens"
            )
        return prompt

    def _say(self, answer: AnswerHandle, token: int) -> None:
        assert answer.text is not None
        if token in self._runner.model.stop_ids:
            self.end(answer, "stop")
            return
        answer.last_at = time.monotonic()
        answer.first_at = answer.first_at or answer.last_at
        answer.said += 1
        answer.last = token
        if delta := answer.text.push(token):
            answer.listener.delta(delta)
        if answer.said >= answer.ask.max_tokens:
            self.end(answer, "length")


def _generator(ask: Ask) -> torch.Generator | None:
    return torch.Generator().manual_seed(ask.seed) if ask.temperature > 0 else None
