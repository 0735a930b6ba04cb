"""What a client may send. Names and fields follow OpenAI Realtime; ours are called `lookout.*`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, TypeAdapter

from core.events.base import ClientEvent, Short, Wire
from core.events.parts import CameraName, EvidenceKind, Item, OnNewInput

MaxTokens = Annotated[int, Field(ge=1)] | Literal["inf"]


class SessionLookoutPatch(Wire):
    """Lookout's session settings; what is absent stays as it is."""

    cameras: tuple[CameraName, ...] | None = Field(default=None, max_length=64)
    on_new_input: OnNewInput | None = None
    evidence: EvidenceKind | None = None


class SessionPatch(Wire):
    """A partial session; what is absent stays as it is."""

    instructions: str | None = None
    max_output_tokens: MaxTokens | None = None
    lookout: SessionLookoutPatch = SessionLookoutPatch()


class SessionUpdate(ClientEvent):
    """Change the session; answered with the whole effective session."""

    type: Literal["session.update"] = "session.update"
    session: SessionPatch


class ItemCreate(ClientEvent):
    """Add a message to the conversation; a question is asked by the `response.create` after it."""

    type: Literal["conversation.item.create"] = "conversation.item.create"
    previous_item_id: Short | None = None
    item: Item


class ItemDelete(ClientEvent):
    """Forget a message."""

    type: Literal["conversation.item.delete"] = "conversation.item.delete"
    item_id: Short


class ResponseLookoutOptions(Wire):
    """Which camera answers; `at` asks about the past."""

    camera: CameraName | None = None
    at: float | str | None = None
    evidence: EvidenceKind | None = None


class ResponseOptions(Wire):
    """How this one answer differs from the session's settings."""

    conversation: Literal["auto", "none"] = "auto"
    instructions: str | None = None
    max_output_tokens: MaxTokens | None = None
    temperature: float = Field(default=0.0, ge=0.0, le=2.0)
    input: tuple[Item, ...] | None = Field(default=None, max_length=64)
    metadata: dict[Short, Short] | None = Field(default=None, max_length=16)
    lookout: ResponseLookoutOptions = ResponseLookoutOptions()


class ResponseCreate(ClientEvent):
    """Answer the newest question."""

    type: Literal["response.create"] = "response.create"
    response: ResponseOptions = ResponseOptions()


class ResponseCancel(ClientEvent):
    """Stop one answer, or all of this conversation; always safe."""

    type: Literal["response.cancel"] = "response.cancel"
    response_id: Short | None = None


class ImageLookout(Wire):
    """Which camera the picture belongs to and when it was taken."""

    camera: CameraName = "client"
    captured_at: datetime | None = None


class ImageAppend(ClientEvent):
    """One JPEG frame in base64; the first one makes the client a camera."""

    type: Literal["input_image_buffer.append"] = "input_image_buffer.append"
    image: str
    lookout: ImageLookout = ImageLookout()


class ImageClear(ClientEvent):
    """Forget frames that wait to be decoded."""

    type: Literal["input_image_buffer.clear"] = "input_image_buffer.clear"


class CameraSource(ClientEvent):
    """Base of the events that name a source."""

    camera: CameraName
    url: str = Field(min_length=1, max_length=2048)
    fps: float | None = Field(default=None, gt=0, le=120)


class CameraAttach(CameraSource):
    """Add a camera by URL; needs the admin role."""

    type: Literal["lookout.camera.attach"] = "lookout.camera.attach"


class CameraUpdate(CameraSource):
    """Replace a camera's source; its memory starts anew."""

    type: Literal["lookout.camera.update"] = "lookout.camera.update"


class CameraDetach(ClientEvent):
    """Remove a camera and its memory; needs the admin role, except for the client's own."""

    type: Literal["lookout.camera.detach"] = "lookout.camera.detach"
    camera: CameraName


class CameraList(ClientEvent):
    """Which cameras are there; answered with `lookout.camera.listed`."""

    type: Literal["lookout.camera.list"] = "lookout.camera.list"


class EventsQuery(ClientEvent):
    """What was written down; answered with `lookout.events.result`."""

    type: Literal["lookout.events.query"] = "lookout.events.query"
    camera: CameraName | None = None
    search: str = Field(default="", max_length=200)
    since: AwareDatetime | None = None
    limit: int = Field(default=100, ge=1, le=1000)


class StatsSubscribe(ClientEvent):
    """Send `lookout.stats` every so often; 0 stops."""

    type: Literal["lookout.stats.subscribe"] = "lookout.stats.subscribe"
    interval_ms: int = Field(ge=0, le=3_600_000)


class ClockQuery(ClientEvent):
    """What time is it there; answered with `lookout.clock`."""

    type: Literal["lookout.clock"] = "lookout.clock"
    client_time: datetime | None = None


AnyClientEvent = (
    SessionUpdate
    | ItemCreate
    | ItemDelete
    | ResponseCreate
    | ResponseCancel
    | ImageAppend
    | ImageClear
    | CameraAttach
    | CameraUpdate
    | CameraDetach
    | CameraList
    | EventsQuery
    | StatsSubscribe
    | ClockQuery
)
CLIENT_EVENT: TypeAdapter[AnyClientEvent] = TypeAdapter(
    Annotated[AnyClientEvent, Field(discriminator="type")]
)
