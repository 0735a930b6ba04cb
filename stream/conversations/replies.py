"""The answers of one conversation: started, queued or interrupted, told, and cancelled."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import Busy, GenerationFailed, LookoutError
from core.events import Annotation, OnNewInput
from stream.cameras.answer import Answer, AnswerResult, Question
from stream.cameras.seam import CameraSeam
from stream.conversations import pictures
from stream.conversations.dialogue import Asked, Dialogue
from stream.conversations.narration import Narration
from stream.conversations.wire import annotation, error_body
from stream.metrics import Metrics

log = logging.getLogger("lookout.replies")

MAX_WAITING = 8  # answers that may wait for others in one conversation


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be answered, how, and by whom."""

    asked: Asked
    camera: CameraSeam
    instructions: str
    max_tokens: int
    temperature: float
    evidence: bool
    side: bool  # not part of the conversation, and never in anybody's way
    metadata: dict[str, str] | None = None  # the client's own


class Reply:
    """One answer from `response.created` to `response.done`."""

    def __init__(self, order: Order, narration: Narration, response_id: str) -> None:
        loop = asyncio.get_running_loop()
        self.id = response_id
        self.order = order
        self.narration = narration
        self.ended: asyncio.Future[None] = loop.create_future()
        self.stopped: asyncio.Future[str] = loop.create_future()
        self._answer: Answer | None = None

    def cancel(self, reason: str) -> None:
        """Stop within one token. Idempotent."""
        if not self.stopped.done():
            self.stopped.set_result(reason)
        if self._answer is not None:
            self._answer.cancel()

    async def after(self, others: Sequence[Reply]) -> None:
        """Wait until the others have ended or this one is cancelled."""
        pending: set[asyncio.Future[Any]] = {other.ended for other in others}
        stopped: set[asyncio.Future[Any]] = {self.stopped}
        while pending and not self.stopped.done():
            await asyncio.wait(stopped | pending, return_when=asyncio.FIRST_COMPLETED)
            pending = {ended for ended in pending if not ended.done()}

    def attend(self, answer: Answer) -> None:
        """From now on `cancel` reaches this answer; at once if it was called before."""
        self._answer = answer
        if self.stopped.done():
            answer.cancel()


def interrupt(running: Sequence[Reply]) -> Sequence[Reply]:
    """The newest question is what matters: stop the others and follow them."""
    for reply in running:
        reply.cancel("turn_detected")
    return running


def queue(running: Sequence[Reply]) -> Sequence[Reply]:
    """First come, first served."""
    return running


def parallel(running: Sequence[Reply]) -> Sequence[Reply]:
    """All at once."""
    return ()


# Which of the running answers a new one waits for.
MANNERS: dict[OnNewInput, Callable[[Sequence[Reply]], Sequence[Reply]]] = {
    "interrupt": interrupt,
    "queue": queue,
    "parallel": parallel,
}


class Replies:
    """All answers of one conversation.

    Args:
        narrate: makes the narration for a response id, an item id and an order.
        dialogue: where answers become messages.
        tasks: owns the answers' tasks.
        metrics: counts them.
    """

    def __init__(
        self,
        narrate: Callable[[str, str, Order], Narration],
        dialogue: Dialogue,
        tasks: asyncio.TaskGroup,
        metrics: Metrics,
    ) -> None:
        self._narrate = narrate
        self._dialogue = dialogue
        self._tasks = tasks
        self._metrics = metrics
        self._running: dict[str, Reply] = {}
        self._closing = False

    def start(self, order: Order, on_new_input: OnNewInput) -> None:
        """Begin an answer, or let it wait.

        Raises:
            Busy: if too many wait already.
        """
        if self._closing:
            raise Busy("the server is stopping; connect again in a moment")
        if len(self._running) > MAX_WAITING:
            raise Busy(f"{len(self._running)} answers are under way; wait for one or cancel one")
        response_id = f"resp_{uuid.uuid4().hex[:20]}"
        item_id = f"item_{uuid.uuid4().hex[:20]}"
        reply = Reply(order, self._narrate(response_id, item_id, order), response_id)
        others = [other for other in self._running.values() if not other.order.side]
        first = () if order.side else MANNERS[on_new_input](others)
        self._running[response_id] = reply
        reply.narration.created(len(first))
        self._tasks.create_task(self._run(reply, first), name=f"reply[{response_id}]")

    def cancel(self, response_id: str | None, reason: str = "client_cancelled") -> None:
        """Stop one answer, or all; unknown ones have ended already, and that is fine."""
        for reply in list(self._running.values()):
            if response_id in (None, reply.id):
                reply.cancel(reason)

    async def close(self) -> None:
        """Start no more answers, stop those under way and wait until they have ended."""
        self._closing = True
        self.cancel(None, "going_away")
        while self._running:
            await asyncio.wait([reply.ended for reply in self._running.values()])

    async def _run(self, reply: Reply, first: Sequence[Reply]) -> None:
        try:
            await reply.after(first)
            if reply.stopped.done():
                reply.narration.cancelled(reply.stopped.result())
                self._metrics.answered("cancelled", None)
            else:
                await self._answer(reply)
        finally:
            del self._running[reply.id]
            reply.ended.set_result(None)

    async def _answer(self, reply: Reply) -> None:
        order = reply.order
        try:
            question = await _question(order)
            result = await self._tell(reply, question)
        except LookoutError as error:
            reply.narration.failed(error_body(error))
            self._metrics.answered("failed", None)
            return
        except Exception:  # one answer dies of a mistake of ours, not the conversation
            log.exception("answer %s failed", reply.id)
            failure = GenerationFailed("the answer failed inside the server; its log says why")
            reply.narration.failed(error_body(failure))
            self._metrics.answered("failed", None)
            return
        self._metrics.answered(result.finish_reason, result)

    async def _tell(self, reply: Reply, question: Question) -> AnswerResult:
        order, dialogue = reply.order, self._dialogue
        async with order.camera.ask(question) as answer:
            reply.attend(answer)
            after = order.asked.last_item_id
            if after is not None and not dialogue.has(after):
                after = None  # the question was deleted meanwhile
            item = reply.narration.begin(after)
            if not order.side:
                dialogue.add(item, after)
            async for delta in answer:
                reply.narration.delta(delta)
        result = answer.result
        if result is None:
            raise AssertionError("an answer that ended has a result")
        reason = reply.stopped.result() if reply.stopped.done() else None
        item = reply.narration.end(result, _evidence(order, result), reason)
        if not order.side:
            dialogue.replace(item)
        return result


async def _question(order: Order) -> Question:
    images = [await asyncio.to_thread(pictures.decode_uri, uri) for uri in order.asked.images]
    return Question(
        text=order.asked.text,
        instructions="\n".join([order.instructions, *order.asked.instructions]).strip(),
        history=order.asked.history,
        images=tuple(images),
        max_tokens=order.max_tokens,
        temperature=order.temperature,
    )


def _evidence(order: Order, result: AnswerResult) -> list[Annotation]:
    if not order.evidence:
        return []
    view = order.camera.view()
    return [annotation(view, evidence) for evidence in result.evidence]
