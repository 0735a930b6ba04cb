"""How an answer is given: snapshot, prefill the question in private pages, decode, release.

Where a selector chooses what is read, the snapshot is of the sink alone and of the bank, and what
was chosen is prefilled before the question, in the same private pages.

Runs on the engine's thread only.
"""

from __future__ import annotations

import time

import torch

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
from engine.positions.line import Line
from engine.positions.scheme import Stand
from engine.recalling import Seeking, put, seek
from engine.requests import Ask, Begun, Ended, FinishReason
from engine.runner import Row, Runner
from engine.sampling import Next, sample
from engine.speaking import DEFAULT, Speaking
from memory.memory import KVMemory
from memory.scratch import Scratch
from models.layout import Chunk, join


class Speech:
    """The stages of an answer.

    Args:
        runner: model and pool.
        prompt_tokens: most tokens of a question with its history and pictures.
        speaking: what answers see and where their tokens stand.
    """

    def __init__(self, runner: Runner, prompt_tokens: int, speaking: Speaking = DEFAULT) -> None:
        self._runner = runner
        self._prompt_tokens = prompt_tokens
        self._sight, self._scheme = speaking.visibility, speaking.positions

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

        Does nothing yet while what it reads of the archive is on its way from the disk.

        Raises:
            QuestionTooLong: if it exceeds the prompt limit.
            GenerationFailed: if it has no words to choose by.
            Busy: if the pool has no pages left to promise.
        """
        assert answer.snapshot is not None
        try:
            sought = self._sought(answer)
        except CapacityExceeded as error:
            raise Busy(f"no memory is left for another answer: {error}") from error
        if not sought.ready:
            return
        view, extent = answer.snapshot.view, answer.snapshot.extent
        read, stand = self._read(answer, extent.next_position), self._stand(answer)
        if read is not None:
            stand = Stand(read.next_position, read.next_position, read.next_position)
        prompt, start = self._prompt(answer, stand)
        chunk = prompt if read is None else join([read, prompt])
        recalled = sought.recalled(_memory(answer).archive, self._runner.pool.device)
        try:
            private = len(recalled) + len(chunk) + answer.ask.max_tokens
            answer.scratch = Scratch(self._runner.pool, private)
        except CapacityExceeded as error:
            raise Busy(f"no memory is left for another answer: {error}") from error
        put(self._runner, recalled, answer.scratch)
        answer.chunk, answer.t_end = chunk, extent.t_end
        answer.line = Line(self._scheme, start, chunk.next_position - 1, stand)
        if not self._sight.keeps_snapshot:
            answer.snapshot.release()
        self._number_input(answer)
        answer.seeking = None  # its bytes are in the private pages now
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
                recalled_from=tuple(tier.value for tier in recalled.tiers),
            )
        )

    def row(self, answer: AnswerHandle, tokens: int) -> Row:
        """The next part of the question, or the token said last."""
        assert answer.snapshot is not None
        assert answer.scratch is not None
        memory = _memory(answer)
        view = self._sight.view(answer.snapshot, memory)
        answer.t_end = self._sight.extent(answer.snapshot, memory).t_end
        if answer.last is None:
            assert answer.chunk is not None
            part = answer.chunk.part(answer.done, answer.done + tokens)
            return Row(part, view, answer.scratch)
        assert answer.line is not None
        answer.stand = self._stand(answer)
        answer.position = answer.line.ahead(answer.stand)
        chunk = self._runner.model.lay_text([answer.last], answer.position)
        return Row(chunk, view, answer.scratch)

    def advance(self, answer: AnswerHandle, tokens: int, come: Next) -> None:
        """Note what the forward did; says the next token when the question has been read.

        Args:
            answer: whose row it was.
            tokens: of that row.
            come: what comes after its last token.
        """
        assert answer.chunk is not None
        if answer.last is None:
            answer.done += tokens
            if answer.done < len(answer.chunk):
                return
        else:
            assert answer.line is not None
            assert answer.stand is not None
            answer.line.advance(answer.position, answer.stand)
            self._number_input(answer)
        self._say(answer, self._chosen(answer, come))

    def _chosen(self, answer: AnswerHandle, come: Next) -> int:
        """The next token."""
        model, temperature = self._runner.model, answer.ask.temperature
        if model.silence is not None and not answer.said:
            logits = come.logits.clone()  # who asks once is answered
            logits[model.silence] += model.silence_bias if answer.ask.standing else -torch.inf
            return sample(logits, temperature, answer.generator)
        return sample(come.logits, temperature, answer.generator) if temperature else come.likeliest

    def end(
        self, answer: AnswerHandle, reason: FinishReason, error: LookoutError | None = None
    ) -> None:
        """Release everything and tell the listener, once."""
        if answer.over:
            return
        answer.over, answer.bank = True, ()
        if answer.snapshot is not None:
            answer.snapshot.release()
        if answer.scratch is not None:
            answer.scratch.release()
        if answer.seeking is not None:
            answer.seeking.abandon()
            answer.seeking = None
        seconds, gaps = answer.last_at - answer.first_at, answer.gaps.counts
        try:
            if answer.text is not None and reason != "error" and (rest := answer.text.flush()):
                answer.listener.delta(rest)
        finally:  # once an answer has begun, somebody waits for this and nothing else
            answer.listener.ended(Ended(reason, answer.said, seconds, error, answer.t_end, gaps))

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

    def _sought(self, answer: AnswerHandle) -> Seeking:
        """What it reads of the archive, perhaps still on its way; sought once.

        Nothing if it does not ask for the past, nor if it waits for what comes.
        """
        if answer.seeking is None:
            assert answer.snapshot is not None
            recalling, archive = answer.memory.recalling, _memory(answer).archive
            asks = recalling is not None and not answer.ask.standing
            if (
                recalling is None
                or archive is None
                or not asks
                or not recalling.gate.opens(answer.ask.text)
            ):
                answer.seeking = Seeking(answer.snapshot.extent)
            else:
                answer.seeking = seek(
                    self._runner, answer.snapshot, archive, answer.ask.text, recalling.budget
                )
        return answer.seeking

    def holds_up(self, answer: AnswerHandle) -> bool:
        """Whether segments of its camera must wait for their numbers until it has ended."""
        return self._scheme.input_waits and answer.chunk is not None and not answer.over

    def _stand(self, answer: AnswerHandle) -> Stand:
        """Where the input of its camera stands now, as the answer sees it."""
        assert answer.snapshot is not None
        memory = _memory(answer)
        extent = self._sight.extent(answer.snapshot, memory)
        laid = [job.chunk.next_position for job in answer.memory.segments if job.chunk is not None]
        return Stand(extent.next_position, max(memory.next_position, *laid, 0), extent.end)

    def _number_input(self, answer: AnswerHandle) -> None:
        """Let the input go on where the scheme wants it to."""
        assert answer.line is not None
        memory = _memory(answer)
        memory.next_position = answer.line.resume(memory.next_position)

    def _prompt(self, answer: AnswerHandle, stand: Stand) -> tuple[Chunk, int]:
        """The question with its pictures, and the position of the marks that open the answer.

        Raises:
            QuestionTooLong: if it exceeds the prompt limit.
        """
        model, ask, chunks = self._runner.model, answer.ask, []
        position = self._scheme.question(stand)
        for picture in answer.images or []:
            chunks.append(model.lay_image(picture, position))
            position = chunks[-1].next_position
        ids = model.question_ids(ask.text, ask.history, ask.instructions)
        asked = len(ids) - model.opening_tokens
        chunks.append(model.lay_text(ids[:asked], position))
        start = self._scheme.first(chunks[-1].next_position)
        prompt = join([*chunks, model.lay_text(ids[asked:], start)])
        if len(prompt) > self._prompt_tokens:
            raise QuestionTooLong(
                f"the question with its history takes {len(prompt)} tokens, at most "
                f"{self._prompt_tokens} fit: shorten it or raise engine.prompt_tokens"
            )
        return prompt, start

    def _say(self, answer: AnswerHandle, token: int) -> None:
        assert answer.text is not None
        if token in self._runner.model.stop_ids:
            self.end(answer, "stop")
            return
        now = time.monotonic()
        if answer.said:
            answer.gaps.note(now - answer.last_at)
        answer.first_at, answer.last_at = answer.first_at or now, now
        answer.said += 1
        answer.last = token
        if delta := answer.text.push(token):
            answer.listener.delta(delta)
        if answer.said >= answer.ask.max_tokens:
            self.end(answer, "length")


def _memory(answer: AnswerHandle) -> KVMemory:
    assert answer.memory.memory is not None, "an answer outlived its camera's memory"
    return answer.memory.memory


def _generator(ask: Ask) -> torch.Generator | None:
    return torch.Generator().manual_seed(ask.seed) if ask.temperature > 0 else None
