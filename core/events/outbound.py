"""What the server may send, and which of it may be merged while a client is slow."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from core.events.base import ServerEvent
from core.events.parts import (
    Annotation,
    Camera,
    ErrorBody,
    Item,
    OutputText,
    Response,
    Rung,
    Session,
    TimelineEvent,
)


def camera_slot(camera: str) -> Hashable:
    """The slot of all that is said about how a camera is."""
    return ("camera", camera)


class SessionCreated(ServerEvent):
    """The first event of a connection."""

    type: Literal["session.created"] = "session.created"
    session: Session


class SessionUpdated(ServerEvent):
    """The whole effective session after an update."""

    type: Literal["session.updated"] = "session.updated"
    session: Session


class Error(ServerEvent):
    """Something failed; never fatal by itself."""

    type: Literal["error"] = "error"
    error: ErrorBody


class ItemAdded(ServerEvent):
    """A message stands in the conversation."""

    type: Literal["conversation.item.added"] = "conversation.item.added"
    previous_item_id: str | None = None
    item: Item


class ItemDone(ServerEvent):
    """A message is complete."""

    type: Literal["conversation.item.done"] = "conversation.item.done"
    previous_item_id: str | None = None
    item: Item


class ItemDeleted(ServerEvent):
    """A message is forgotten."""

    type: Literal["conversation.item.deleted"] = "conversation.item.deleted"
    item_id: str


class ResponseCreated(ServerEvent):
    """An answer is under way or waits (`response.lookout.queue`)."""

    type: Literal["response.created"] = "response.created"
    response: Response


class ResponseDone(ServerEvent):
    """An answer has ended; sent exactly once for each `response.created`."""

    type: Literal["response.done"] = "response.done"
    response: Response


class OutputItemAdded(ServerEvent):
    """The answer's message begins."""

    type: Literal["response.output_item.added"] = "response.output_item.added"
    response_id: str
    output_index: int = 0
    item: Item


class OutputItemDone(ServerEvent):
    """The answer's message is complete."""

    type: Literal["response.output_item.done"] = "response.output_item.done"
    response_id: str
    output_index: int = 0
    item: Item


class PartEvent(ServerEvent):
    """Base of the events about the one text part of an answer."""

    response_id: str
    item_id: str
    output_index: int = 0
    content_index: int = 0


class ContentPartAdded(PartEvent):
    """The answer's text begins."""

    type: Literal["response.content_part.added"] = "response.content_part.added"
    part: OutputText = OutputText()


class ContentPartDone(PartEvent):
    """The answer's text is complete."""

    type: Literal["response.content_part.done"] = "response.content_part.done"
    part: OutputText


class TextDelta(PartEvent):
    """The next words; unsent deltas of one answer merge, so no text is ever lost."""

    type: Literal["response.output_text.delta"] = "response.output_text.delta"
    delta: str

    @property
    def slot(self) -> Hashable | None:
        """One per answer."""
        return (self.type, self.response_id)

    def absorb(self, later: ServerEvent) -> ServerEvent:
        """The words of both."""
        assert isinstance(later, TextDelta)
        return self.model_copy(update={"delta": self.delta + later.delta})


class TextDone(PartEvent):
    """All words."""

    type: Literal["response.output_text.done"] = "response.output_text.done"
    text: str


class AnnotationAdded(PartEvent):
    """What the answer is based on."""

    type: Literal["response.output_text.annotation.added"] = "response.output_text.annotation.added"
    annotation_index: int = 0
    annotation: Annotation


class ImageDropped(ServerEvent):
    """Frames of this client were not shown to the model; counts since the last such event."""

    type: Literal["input_image_buffer.dropped"] = "input_image_buffer.dropped"
    camera: str
    dropped: int
    reason: Literal["superseded", "cleared"]

    @property
    def slot(self) -> Hashable | None:
        """One per camera and reason."""
        return (self.type, self.camera, self.reason)

    def absorb(self, later: ServerEvent) -> ServerEvent:
        """The sum of both."""
        assert isinstance(later, ImageDropped)
        return self.model_copy(update={"dropped": self.dropped + later.dropped})


class CameraState(ServerEvent):
    """How a camera is; sent at the start of a connection and on every change, newest wins."""

    type: Literal["lookout.camera.state"] = "lookout.camera.state"
    camera: str
    state: str
    reason: str | None = None
    retry_in_ms: int | None = None
    fps: float | None = None
    codec: str | None = None
    width: int | None = None
    height: int | None = None
    overload: Rung = "none"
    given_up: tuple[Rung, ...] = ()
    at: datetime

    @property
    def slot(self) -> Hashable | None:
        """One per camera."""
        return camera_slot(self.camera)


class CameraDetached(ServerEvent):
    """A camera is gone."""

    type: Literal["lookout.camera.detached"] = "lookout.camera.detached"
    camera: str

    @property
    def slot(self) -> Hashable | None:
        """That of the camera's state, which it is the last of."""
        return camera_slot(self.camera)


class CameraListed(ServerEvent):
    """All cameras, in answer to `lookout.camera.list`."""

    type: Literal["lookout.camera.listed"] = "lookout.camera.listed"
    cameras: tuple[Camera, ...]


class Stats(ServerEvent):
    """All cameras, every so often; newest wins."""

    type: Literal["lookout.stats"] = "lookout.stats"
    cameras: tuple[Camera, ...]
    at: datetime

    @property
    def slot(self) -> Hashable | None:
        """One per connection."""
        return self.type


class EventsResult(ServerEvent):
    """Entries of the timeline, oldest first, in answer to `lookout.events.query`."""

    type: Literal["lookout.events.result"] = "lookout.events.result"
    events: tuple[TimelineEvent, ...]


class Clock(ServerEvent):
    """The server's time beside the client's."""

    type: Literal["lookout.clock"] = "lookout.clock"
    client_time: datetime | None
    server_time: datetime


class GoingAway(ServerEvent):
    """The server stops soon; the connection then closes with 1001."""

    type: Literal["lookout.session.going_away"] = "lookout.session.going_away"
    time_left_ms: int
    reason: str


AnyServerEvent = (
    SessionCreated
    | SessionUpdated
    | Error
    | ItemAdded
    | ItemDone
    | ItemDeleted
    | ResponseCreated
    | ResponseDone
    | OutputItemAdded
    | OutputItemDone
    | ContentPartAdded
    | ContentPartDone
    | TextDelta
    | TextDone
    | AnnotationAdded
    | ImageDropped
    | CameraState
    | CameraDetached
    | CameraListed
    | EventsResult
    | Stats
    | Clock
    | GoingAway
)
SERVER_EVENT: TypeAdapter[AnyServerEvent] = TypeAdapter(
    Annotated[AnyServerEvent, Field(discriminator="type")]
)
