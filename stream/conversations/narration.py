"""The series of events that tells a client one answer, in the order the protocol wants."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from core.events import (
    Annotation,
    AnnotationAdded,
    ContentPartAdded,
    ContentPartDone,
    ErrorBody,
    Item,
    ItemAdded,
    ItemDone,
    OutputItemAdded,
    OutputItemDone,
    OutputText,
    QueuePlace,
    Response,
    ResponseCreated,
    ResponseDone,
    ResponseLookout,
    ServerEvent,
    Status,
    StatusDetails,
    TextDelta,
    TextDone,
)
from stream.cameras.answer import AnswerResult, FinishReason
from stream.conversations.wire import error_body, timing, usage

_STATUS: dict[FinishReason, Status] = {
    "stop": "completed",
    "length": "incomplete",
    "cancelled": "cancelled",
    "error": "failed",
}
_REASON: dict[FinishReason, str | None] = {
    "stop": None,
    "length": "max_output_tokens",
    "cancelled": "client_cancelled",
    "error": "generation_failed",
}


class Narration:
    """Says how one answer goes; `created` comes first and exactly one `response.done` last.

    Args:
        put: takes the events.
        response_id: of the answer.
        item_id: of the message it becomes.
        camera: which is asked.
        metadata: the client's own, given back.
        side: the answer does not become part of the conversation.
    """

    def __init__(
        self,
        put: Callable[[ServerEvent], None],
        *,
        response_id: str,
        item_id: str,
        camera: str,
        metadata: dict[str, str] | None = None,
        side: bool = False,
    ) -> None:
        self._put = put
        self._side = side
        self._part = {"response_id": response_id, "item_id": item_id}
        self._previous: str | None = None
        self._response = Response(
            id=response_id,
            status="in_progress",
            metadata=metadata,
            lookout=ResponseLookout(camera=camera),
        )
        self._item = Item(id=item_id, role="assistant", status="in_progress", content=())

    def created(self, place: int) -> None:
        """The answer is under way, or `place` others come first."""
        response = self._response
        if place:
            lookout = response.lookout.model_copy(update={"queue": QueuePlace(position=place)})
            response = response.model_copy(update={"lookout": lookout})
        self._put(ResponseCreated(response=response))

    def begin(self, previous_item_id: str | None) -> Item:
        """The message begins, behind another one; returns it."""
        self._previous = previous_item_id
        self._put(OutputItemAdded(response_id=self._response.id, item=self._item))
        if not self._side:
            self._put(ItemAdded(previous_item_id=previous_item_id, item=self._item))
        self._put(ContentPartAdded(**self._part))
        return self._item

    def delta(self, text: str) -> None:
        """The next words."""
        self._put(TextDelta(**self._part, delta=text))

    def end(
        self, result: AnswerResult, evidence: Iterable[Annotation], reason: str | None = None
    ) -> Item:
        """The answer ended; returns the whole message.

        Args:
            result: how.
            evidence: what it is based on.
            reason: why it was cancelled, if it was.
        """
        item = self._close_item(result, evidence)
        status = _STATUS[result.finish_reason]
        cancelled = reason if status == "cancelled" else None
        details = StatusDetails(
            type=status,
            reason=cancelled
            or (result.cause.code if result.cause else None)
            or _REASON[result.finish_reason],
            error=_failure(result),
        )
        lookout = self._response.lookout.model_copy(update={"timing": timing(result)})
        self._done(
            status=status,
            status_details=None if status == "completed" else details,
            output=(item,),
            usage=usage(result),
            lookout=lookout,
        )
        return item

    def cancelled(self, reason: str) -> None:
        """The answer ended before it began."""
        details = StatusDetails(type="cancelled", reason=reason)
        self._done(status="cancelled", status_details=details)

    def failed(self, error: ErrorBody) -> None:
        """The answer ended before it began."""
        details = StatusDetails(type="failed", reason=error.code, error=error)
        self._done(status="failed", status_details=details)

    def _close_item(self, result: AnswerResult, evidence: Iterable[Annotation]) -> Item:
        text = OutputText(text=result.text)
        whole = "completed" if result.finish_reason == "stop" else "incomplete"
        item = self._item.model_copy(update={"status": whole, "content": (text,)})
        self._put(TextDone(**self._part, text=result.text))
        for index, annotation in enumerate(evidence):
            self._put(AnnotationAdded(**self._part, annotation_index=index, annotation=annotation))
        self._put(ContentPartDone(**self._part, part=text))
        self._put(OutputItemDone(response_id=self._response.id, item=item))
        if not self._side:
            self._put(ItemDone(previous_item_id=self._previous, item=item))
        return item

    def _done(self, **changes: object) -> None:
        self._put(ResponseDone(response=self._response.model_copy(update=changes)))


def _failure(result: AnswerResult) -> ErrorBody | None:
    if result.finish_reason != "error":
        return None
    if result.cause is not None:
        return error_body(result.cause)
    return ErrorBody(
        type="server_error",
        code="generation_failed",
        message=result.error or "the model failed on this answer; ask again",
    )
