"""`lookout run`: a source through the real pipeline without a server, questions asked on the way.

The same cameras, engine and memory as the server's; only the pace may differ. A question for stream
time T is asked when every temporal step that ended before T is in memory and no frame from T on.
What a live camera would not have in memory either is not awaited: the frames of a step that is not
whole yet, and the steps that a look-ahead policy holds back.

A recording is not live: nobody is helped by frames that give way. Whatever its pace, it waits for
whoever watches it, loses nothing and gives nothing up; only a real camera does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.errors import AnswerError, LookoutError
from stream.cameras.answer import Answer, AnswerResult, Question
from stream.cameras.camera import Camera
from stream.cameras.watching import Witness
from stream.compose import House
from stream.sources.base import Source
from stream.sources.pace import Pace, Pacer, Realtime

CAMERA = "run"


class RecordedPace(Pace):
    """Plays a recording at its own speed, or slower if its reader is; loses no frame."""

    lossless = True

    def pacer(self) -> Pacer:
        """Waits for each frame's moment; where the reader took a second too long, from then on."""
        return Realtime()


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of a replay and how it was answered."""

    question: str
    asked_at: float  # stream seconds
    result: AnswerResult

    def row(self) -> dict[str, Any]:
        """As `--json` writes it."""
        result = self.result
        return {
            "question": self.question,
            "asked_at": self.asked_at,
            "answer": result.text,
            "finish_reason": result.finish_reason,
            "error": result.error,
            "ttft_ms": result.ttft_ms,
            "total_ms": result.total_ms,
            "tokens": result.completion_tokens,
            "tokens_per_s": result.tokens_per_s,
            "evidence": [asdict(evidence) for evidence in result.evidence],
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """What a replay did, as `--json` writes it under `summary`."""

    frames_in: int
    frames_dropped: int
    frames_skipped: int  # passed over because it lagged
    overload_changes: int  # times that more or less was given up because it lagged
    frames_remembered: int
    segments: int
    tokens_encoded: int
    tokens_kept: int
    memory_capacity: int
    memory_held: int
    memory_seen: int
    memory_bytes: int
    lag_p95_ms: float | None
    duration_s: float  # stream seconds that were watched
    policy: str
    budget: int
    model: str


class Replay:
    """One source played once.

    Args:
        house: model, engine and cameras.
        questions: (stream seconds, text), asked in order of time.
        duration: stream seconds after which to stop; None for the whole source.
        max_tokens: of an answer.
        on_start: told when a question is asked; returns who is told of each piece of text.
        witness: told of each segment and what pruning kept of it.
        standing: those of the questions that may be answered by saying nothing.
    """

    def __init__(
        self,
        house: House,
        questions: Sequence[tuple[float, str]],
        *,
        duration: float | None = None,
        max_tokens: int = 128,
        on_start: Callable[[float, str], Callable[[str], None]] | None = None,
        witness: Witness | None = None,
        standing: Collection[str] = (),
    ) -> None:
        self._house = house
        self._waiting = sorted(questions, key=lambda question: question[0])
        self._duration = duration
        self._max_tokens = max_tokens
        self._on_start = on_start or (lambda asked_at, text: lambda delta: None)
        self._witness = witness
        self._standing = standing
        self._answers: asyncio.TaskGroup | None = None
        self._asked: list[Asked] = []
        self._enough = asyncio.Event()
        self._camera: Camera | None = None

    async def run(self, source: Callable[[], Source], url: str) -> tuple[list[Asked], Summary]:
        """Play it to the end, or for `duration`; answers in order of asking, and the summary.

        Raises:
            SourceUnavailable: if the source cannot be opened or read.
            LookoutError: if the camera cannot be attached.
        """
        cameras = self._house.cameras
        self._camera = await cameras.attach(
            CAMERA, source, url=url, gate=self._before, witness=self._witness
        )
        try:
            async with asyncio.TaskGroup() as self._answers:
                await self._played()
                if failure := cameras.failure(CAMERA):
                    raise failure
                for asked_at, text in self._waiting:  # the source ended before their time
                    if self._duration is None or asked_at <= self._duration:
                        await self._ask(asked_at, text)
                    else:
                        self._asked.append(Asked(text, asked_at, _refused(self._too_late())))
        except BaseExceptionGroup as group:
            raise _only(group) from None
        finally:
            summary = self._summary(self._camera)
            await cameras.detach(CAMERA)
        self._asked.sort(key=lambda asked: asked.asked_at)
        return self._asked, summary

    async def _played(self) -> None:
        """Until the source has ended or enough was seen."""
        ended = asyncio.create_task(self._house.cameras.finished(CAMERA))
        enough = asyncio.create_task(self._enough.wait())
        try:
            await asyncio.wait([ended, enough], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (ended, enough):
                task.cancel()
            await asyncio.wait([ended, enough])

    async def _before(self, pts: float) -> None:
        """The gate before each frame: everything earlier is in memory."""
        while self._waiting and self._waiting[0][0] <= pts:
            await self._ask(*self._waiting.pop(0))
        if self._duration is not None and pts >= self._duration:
            self._enough.set()
            await asyncio.Event().wait()  # until the camera is detached

    async def _ask(self, asked_at: float, text: str) -> None:
        """Start an answer and wait until it has its snapshot; the stream may then go on."""
        assert self._camera is not None
        assert self._answers is not None
        hear = self._on_start(asked_at, text)
        try:
            standing = text in self._standing
            answer = self._camera.ask(
                Question(text, max_tokens=self._max_tokens, standing=standing)
            )
        except AnswerError as error:
            self._asked.append(Asked(text, asked_at, _refused(error)))
            return
        self._answers.create_task(self._listen(answer, asked_at, text, hear))
        await answer.begun()

    async def _listen(
        self, answer: Answer, asked_at: float, text: str, hear: Callable[[str], None]
    ) -> None:
        async with contextlib.aclosing(answer):
            async for delta in answer:
                hear(delta)
        assert answer.result is not None
        self._asked.append(Asked(text, asked_at, answer.result))

    def _too_late(self) -> AnswerError:
        return AnswerError(
            f"not asked: the replay stopped at {self._duration:g} s, before its time"
        )

    def _summary(self, camera: Camera) -> Summary:
        view = camera.view()
        return Summary(
            frames_in=view.frames_in,
            frames_dropped=view.frames_dropped,
            frames_skipped=view.frames_skipped,
            overload_changes=view.overload_changes,
            frames_remembered=view.frames_remembered,
            segments=view.segments,
            tokens_encoded=view.tokens_encoded,
            tokens_kept=view.tokens_kept,
            memory_capacity=view.memory_capacity,
            memory_held=view.memory_held,
            memory_seen=view.memory_seen,
            memory_bytes=view.memory_bytes,
            lag_p95_ms=view.lag_p95_ms,
            duration_s=view.newest_pts or 0.0,
            policy=view.policy,
            budget=view.budget,
            model=self._house.model.info.name,
        )


def _refused(error: AnswerError) -> AnswerResult:
    return AnswerResult("", "error", str(error), 0, 0, 0, 0.0, None, 0.0, None, None, ())


def _only(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error of a group that names what happened; the group itself if none does."""
    known = group.subgroup(LookoutError)
    error: BaseException = known or group
    while isinstance(error, BaseExceptionGroup) and error is not group:
        error = error.exceptions[0]
    return error
