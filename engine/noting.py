"""Notes: what a model writes about the newest stretch of a camera when nobody wants anything.

One note at a time, and only in steps that nothing else has a use for. It is asked for like any
answer, on a snapshot; what was said is then prefilled at the current position as a short text under
its stretch of stream seconds, and so becomes memory. The keys of the answer itself never do.

Runs on the engine's thread only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from engine.jobs import AnswerHandle, MemoryHandle
from engine.requests import Ask, Begun, Ended, Noted
from engine.runner import Row, Runner
from engine.sampling import Logits
from engine.speech import Speech
from memory.memory import KVMemory
from memory.notes import Note
from memory.scratch import Scratch
from models.vlm import VideoLanguageModel


@dataclass(frozen=True, slots=True)
class Noting:
    """When notes are taken and what is asked for.

    Args:
        question: to which the note is the answer; a model that knows standing questions may say
            nothing.
        every: segments of a camera from one note to the next; as many that come in while a note
            is written make it stale.
        max_tokens: longest answer.

    Raises:
        ValueError: if a number is below 1 or nothing is asked.
    """

    question: str = "Note what changes."
    every: int = 8
    max_tokens: int = 24

    def __post_init__(self) -> None:
        if min(self.every, self.max_tokens) < 1 or not self.question.strip():
            raise ValueError("a note needs a question, and numbers of at least 1")

    def tokens(self, model: VideoLanguageModel) -> int:
        """Tokens that asking and saying take at most."""
        return len(model.question_ids(self.question, (), "")) + self.max_tokens


@dataclass(slots=True, eq=False)
class Draft:
    """A note that is being written; listens to its own answer."""

    handle: MemoryHandle
    t_start: float
    t_end: float
    text: str = ""
    answer: AnswerHandle = field(init=False)

    def begun(self, begun: Begun) -> None:
        """See `AnswerListener.begun`."""

    def delta(self, text: str) -> None:
        """See `AnswerListener.delta`."""
        self.text += text

    def ended(self, ended: Ended) -> None:
        """See `AnswerListener.ended`."""


class NoteTaker:
    """Writes the notes of all cameras, one at a time.

    Counts `notes_written`, `notes_silent` (there was nothing to say), `notes_stale` (newer segments
    came first) and `notes_failed`.

    Args:
        runner: model and pool.
        noting: when and what.
        counters: of the engine.
    """

    def __init__(self, runner: Runner, noting: Noting, counters: Counter[str]) -> None:
        self._runner = runner
        self._noting = noting
        self._counters = counters
        self._speech = Speech(runner, noting.tokens(runner.model))
        self._draft: Draft | None = None

    def due(self, memories: Iterable[MemoryHandle]) -> bool:
        """Whether a step could be used."""
        return self._draft is not None or self._next(memories) is not None

    def step(self, memories: Sequence[MemoryHandle]) -> None:
        """One forward for the note in hand, or begin one. The engine must have nothing else to do.

        A note that fails raises; `drop` it then.
        """
        if self._draft is not None:
            self._say(self._draft)
        elif (handle := self._next(memories)) is not None:
            self._begin(handle)

    def sweep(self) -> None:
        """Give up a note that newer segments made stale; between any two steps."""
        draft = self._draft
        if draft is not None and draft.handle.unnoted.segments >= self._noting.every:
            self._counters["notes_stale"] += 1
            self._give_up(draft)

    def drop(self, handle: MemoryHandle | None = None) -> None:
        """Give up the note in hand, of one camera or whosever it is. Idempotent."""
        if self._draft is not None and handle in (None, self._draft.handle):
            self._give_up(self._draft)

    def fail(self) -> None:
        """Give up the note in hand, which cannot be written."""
        self._counters["notes_failed"] += 1
        self.drop()

    def _next(self, memories: Iterable[MemoryHandle]) -> MemoryHandle | None:
        """Whose stretch without a note is the longest, of those that are long enough."""
        ready = [
            handle
            for handle in memories
            if handle.memory is not None
            and not handle.closed
            and handle.unnoted.segments >= self._noting.every
        ]
        return max(ready, key=lambda handle: handle.unnoted.segments, default=None)

    def _begin(self, handle: MemoryHandle) -> None:
        draft = Draft(handle, *handle.unnoted.take())
        noting = self._noting
        ask = Ask(noting.question, max_tokens=noting.max_tokens, standing=True)
        draft.answer = AnswerHandle(handle, ask, draft)
        self._draft = draft
        self._speech.begin(draft.answer)
        self._speech.see(draft.answer)
        self._speech.lay_out(draft.answer)

    def _say(self, draft: Draft) -> None:
        answer = draft.answer
        assert answer.chunk is not None
        tokens = len(answer.chunk) if answer.last is None else 1
        (come,) = Logits(self._runner.forward([self._speech.row(answer, tokens)])).each()
        self._speech.advance(answer, tokens, come)
        if answer.over:
            self._draft = None
            self._write(draft)

    def _write(self, draft: Draft) -> None:
        """Prefill what was said at the current position, and remember it."""
        memory, text = draft.handle.memory, " ".join(draft.text.split())
        assert memory is not None, "a note outlived its camera's memory"
        if not text:
            self._counters["notes_silent"] += 1
            return
        note = Note(draft.t_start, draft.t_end, self._ids(draft, text, memory.noting))
        remember(self._runner, memory, note)
        self._counters["notes_written"] += 1
        draft.handle.on_note(Noted(draft.t_start, draft.t_end, text))

    def _ids(self, draft: Draft, text: str, room: int) -> tuple[int, ...]:
        """The note as it is written into memory, cut short where it is longer than the room."""
        model = self._runner.model
        stamped = f"<{draft.t_start:.1f}-{draft.t_end:.1f} seconds> {text}"
        ids, ending = model.question_ids(stamped, (), ""), model.question_ids("", (), "")
        return tuple(ids[: len(ids) - len(ending)][:room])

    def _give_up(self, draft: Draft) -> None:
        self._draft = None
        self._speech.end(draft.answer, "cancelled")


def remember(runner: Runner, memory: KVMemory, note: Note) -> None:
    """Prefill a note after all that the memory holds, and put it there.

    Raises:
        CapacityExceeded: if there is no room for it.
    """
    chunk = runner.model.lay_text(note.ids, memory.next_position)
    scratch = Scratch(runner.pool, len(chunk))
    try:
        runner.forward([Row(chunk, memory.view(), scratch)])
        memory.note(note, scratch.view().slots, chunk.positions.T.contiguous().numpy())
        memory.next_position = chunk.next_position
    finally:
        scratch.release()


def told(model: VideoLanguageModel, note: Note) -> Noted:
    """What people are told of a note that a memory holds."""
    _, _, text = model.detokenize(note.ids).partition("> ")
    return Noted(note.t_start, note.t_end, text)
