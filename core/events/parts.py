"""The nouns of the protocol: content parts, items, responses, sessions and cameras."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from core.errors import Reason
from core.events.base import Moment, Short, Wire

Role = Literal["user", "assistant", "system"]
OnNewInput = Literal["interrupt", "queue", "parallel"]
EvidenceKind = Literal["none", "time", "frame", "clip"]
Status = Literal["in_progress", "completed", "cancelled", "failed", "incomplete"]
State = Literal["connecting", "live", "stalled", "retrying", "offline", "disabled"]
Rung = Literal["none", "fps", "budget", "picture", "skip"]

CAMERA_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
CameraName = Annotated[str, Field(pattern=CAMERA_NAME)]


class InputText(Wire):
    """Text the user wrote."""

    type: Literal["input_text"] = "input_text"
    text: str


class InputImage(Wire):
    """A picture shown by the user, as a data URI holding JPEG or PNG."""

    type: Literal["input_image"] = "input_image"
    image_url: str


class OutputText(Wire):
    """Text the model wrote."""

    type: Literal["output_text"] = "output_text"
    text: str = ""


Content = Annotated[InputText | InputImage | OutputText, Field(discriminator="type")]


class Item(Wire):
    """One message of a conversation."""

    id: Short = ""
    object: Literal["realtime.item"] = "realtime.item"
    type: Literal["message"] = "message"
    role: Role
    status: Literal["in_progress", "completed", "incomplete"] = "completed"
    content: tuple[Content, ...] = Field(max_length=32)

    @property
    def text(self) -> str:
        """All text parts, one per line."""
        return "\n".join(p.text for p in self.content if not isinstance(p, InputImage))


class Annotation(Wire):
    """What an answer is based on: a time range of a camera, in stream seconds and on the clock."""

    type: Literal["lookout.evidence"] = "lookout.evidence"
    camera: str
    t_start: float
    t_end: float
    tier: Literal["hot", "device", "host", "disk"] = "hot"  # where it lay when it was read
    start: Moment | None = None
    end: Moment | None = None


class TimelineEvent(Wire):
    """Something that was written down about a stretch of a camera's stream."""

    kind: Literal["note"]
    camera: str
    t_start: float  # stream seconds
    t_end: float
    start: Moment
    end: Moment
    text: str


class Usage(Wire):
    """Tokens an answer cost; `lookout_memory_tokens` were read from the camera's memory."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    lookout: dict[str, int] = Field(default_factory=dict)


class Timing(Wire):
    """How long the parts of an answer took."""

    queue_ms: float | None = None
    ttft_ms: float | None = None
    tokens_per_s: float | None = None
    total_ms: float | None = None
    frame_age_ms: float | None = None


class QueuePlace(Wire):
    """How many answers are given before this one."""

    position: int


class ResponseLookout(Wire):
    """What Lookout adds to a response."""

    camera: str
    queue: QueuePlace | None = None
    timing: Timing | None = None


class Retry(Wire):
    """When trying again may help."""

    retry_after_ms: int


class ErrorBody(Wire):
    """What went wrong, where, and what to do about it."""

    type: str
    code: str
    message: str
    param: str | None = None
    event_id: str | None = None
    lookout: Retry | None = None


class StatusDetails(Wire):
    """Why a response ended as it did."""

    type: Status
    reason: str | None = None
    error: ErrorBody | None = None


class Response(Wire):
    """One answer, as the protocol calls it."""

    id: str
    object: Literal["realtime.response"] = "realtime.response"
    status: Status
    status_details: StatusDetails | None = None
    output: tuple[Item, ...] = ()
    usage: Usage | None = None
    metadata: dict[str, str] | None = None
    lookout: ResponseLookout


class Limits(Wire):
    """What the server refuses beyond."""

    max_question_chars: int
    max_message_bytes: int
    max_images: int


class ModelInfo(Wire):
    """Which model answers; `note` says what its users should know of it."""

    name: str
    embedded: bool = False
    note: str = ""


class SessionLookout(Wire):
    """What Lookout adds to a session."""

    protocol: Literal["1"] = "1"
    cameras: tuple[str, ...] = ()
    on_new_input: OnNewInput = "interrupt"
    evidence: EvidenceKind = "time"
    limits: Limits
    model: ModelInfo


class Session(Wire):
    """The effective settings of one connection."""

    id: str
    object: Literal["realtime.session"] = "realtime.session"
    type: Literal["realtime"] = "realtime"
    model: str
    instructions: str = ""
    output_modalities: tuple[Literal["text"], ...] = ("text",)
    max_output_tokens: int
    lookout: SessionLookout


class Kept(Wire):
    """Which places of a camera's newest temporal step pruning kept; `rows` times `columns` bits."""

    pts_ms: int  # stream time of the step
    rows: int
    columns: int
    cells: str  # base64; row by row, the highest bit of each byte first, 1: kept


class ArchiveTier(Wire):
    """One place where archived steps lie; bytes of device and host are set aside at start."""

    tier: Literal["device", "host", "disk"]
    runs: int  # of steps that were frozen together
    bytes: int
    capacity: int  # bytes
    read: int  # steps that questions ever read of it


class Archive(Wire):
    """What a camera's memory gave up and can be asked for again; counts are of temporal steps."""

    tiers: tuple[ArchiveTier, ...]
    steps: int
    forgotten: int
    lost: int  # of these, for files that were damaged


class Camera(Wire):
    """One camera: how it is, what it delivered and what its memory holds. Counts since attached."""

    name: str
    url: str
    state: State
    reason: Reason | None = None
    retry_in_ms: int | None = None
    fps: float | None = None
    codec: str | None = None
    width: int | None = None
    height: int | None = None
    frames_in: int = 0
    frames_dropped: int = 0
    frames_remembered: int = 0
    reconnects: int = 0
    segments: int = 0
    segments_lost: int = 0
    tokens_encoded: int = 0
    tokens_kept: int = 0
    memory_held: int = 0
    memory_seen: int = 0
    memory_capacity: int = 0
    memory_bytes: int = 0
    archive: Archive | None = None
    lag_ms: float | None = None
    lag_p95_ms: float | None = None
    frame_age_ms: float | None = None
    newest: Moment | None = None
    answering: int = 0
    policy: str = ""
    budget: int = 0
    restored: str = ""  # what became of the memory saved before the start; empty: there was none
    save_problem: str = ""  # why the newest save of its memory failed; empty: it did not
    kept: Kept | None = None
    overload: Rung = "none"  # how far it gave up because it lags; each includes those before
    given_up: tuple[Rung, ...] = ()  # what that means here, without what would change nothing
    overload_changes: int = 0  # times that changed, up or down
    frames_skipped: int = 0  # passed over because it lagged
    load: float | None = None  # share of the engine's time that it needs; None: not known yet
    has_truth: bool = False
    at: datetime  # when this was looked up
