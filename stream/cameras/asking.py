"""From a question to an answer: listens to the engine and fills what the conversation reads."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from core.errors import QuestionTooLong
from engine.requests import Ask, Begun, Ended
from stream.cameras.answer import Answer, AnswerResult, Evidence, Question


def check(question: Question, chars: int, tokens: int) -> None:
    """Refuse what cannot be answered in the room there is.

    Args:
        question: as it was asked.
        chars: most characters of its text.
        tokens: most tokens of an answer.

    Raises:
        QuestionTooLong: if the text or the answer asked for is too long, or nothing is asked.
    """
    if not question.text.strip():
        raise QuestionTooLong("the question is empty: say what you want to know")
    if len(question.text) > chars:
        raise QuestionTooLong(
            f"the question has {len(question.text)} characters, at most {chars} are taken: "
            "shorten it or raise answer.max_question_chars"
        )
    if question.max_tokens > tokens:
        raise QuestionTooLong(
            f"an answer of {question.max_tokens} tokens was asked for, at most {tokens} fit: "
            "ask for less or raise answer.max_tokens"
        )


def to_ask(question: Question) -> Ask:
    """The engine's form of a question; asking again draws again, where anything is drawn."""
    return Ask(
        text=question.text,
        history=tuple((turn.role, turn.text) for turn in question.history),
        instructions=question.instructions,
        images=question.images,
        max_tokens=question.max_tokens,
        temperature=question.temperature,
        seed=random.getrandbits(63),
        standing=question.standing,
    )


def notice(age_s: float, stale_after_s: float, state: str) -> str:
    """What an answer from old frames must say first; empty for fresh ones.

    Args:
        age_s: of the newest remembered frame.
        stale_after_s: from when on it is old.
        state: of the camera.
    """
    if age_s <= stale_after_s:
        return ""
    return f"(The newest picture is {age_s:.0f} s old; the camera is {state}.) "


class Listener:
    """An `engine.requests.AnswerListener` for one `Answer`; called on the engine's thread.

    Args:
        answer: to fill.
        camera: named in the evidence.
        frame_age_s: of the newest remembered frame when the question came; None if there is none.
        notice: said before the answer; empty for none.
        over: called once, on the engine's thread.
    """

    def __init__(
        self,
        answer: Answer,
        camera: str,
        frame_age_s: float | None,
        notice: str,
        over: Callable[[], None],
    ) -> None:
        self._answer = answer
        self._camera = camera
        self._frame_age_s = frame_age_s
        self._over = over
        self._asked = time.monotonic()
        self._first: float | None = None
        self._begun: Begun | None = None
        self._seen: float | None = None  # up to when, if it went on watching
        self._text: list[str] = []
        self._notice = notice

    def begun(self, begun: Begun) -> None:
        """The snapshot was taken."""
        self._begun = begun
        self._answer.begin()

    def delta(self, text: str) -> None:
        """Some more text; what must be known first goes before the first of it."""
        if self._first is None:
            self._first = time.monotonic()
            text = self._notice + text
        self._text.append(text)
        self._answer.offer(text)

    def ended(self, ended: Ended) -> None:
        """The answer is over."""
        now, first, begun = time.monotonic(), self._first, self._begun
        self._seen = ended.t_end
        rate = (ended.tokens - 1) / ended.seconds if ended.seconds > 0 else None
        self._over()
        self._answer.finish(
            AnswerResult(
                text="".join(self._text),
                finish_reason=ended.finish_reason,
                error=str(ended.error) if ended.error else None,
                prompt_tokens=begun.prompt_tokens if begun else 0,
                completion_tokens=ended.tokens,
                memory_tokens=begun.memory_tokens if begun else 0,
                queue_ms=(begun.queue_seconds if begun else now - self._asked) * 1000,
                ttft_ms=(first - self._asked) * 1000 if first is not None else None,
                total_ms=(now - self._asked) * 1000,
                tokens_per_s=rate,
                frame_age_ms=None if self._frame_age_s is None else self._frame_age_s * 1000,
                evidence=self._evidence(),
                cause=ended.error,
                gaps=ended.gaps,
            )
        )

    def _evidence(self) -> tuple[Evidence, ...]:
        begun = self._begun
        if begun is None or begun.t_start is None or begun.t_end is None:
            return ()
        end = begun.t_end if self._seen is None else max(begun.t_end, self._seen)
        recalled = zip(begun.recalled, begun.recalled_from, strict=True)
        past = (Evidence(self._camera, *stretch, tier) for stretch, tier in recalled)
        return (*past, Evidence(self._camera, begun.t_start, end))
