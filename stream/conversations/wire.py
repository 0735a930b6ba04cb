"""From what is inside to what crosses the wire: views, evidence and errors become event parts."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from pydantic import ValidationError

from core.errors import Busy, EngineError, GenerationFailed, LookoutError
from core.events import (
    CLIENT_EVENT,
    Annotation,
    AnyClientEvent,
    Archive,
    ArchiveTier,
    Camera,
    CameraState,
    ErrorBody,
    Kept,
    Moment,
    Retry,
    Timing,
    Usage,
    now,
)
from core.events.base import MAX_ID_CHARS
from core.kept import KeptStep
from memory.recall.tiers import Holdings
from stream.cameras.answer import AnswerResult, Evidence
from stream.cameras.seam import CamerasSeam
from stream.cameras.view import CameraView

MAX_QUOTED = 80  # characters of the client's own text that an error repeats


def camera(view: CameraView) -> Camera:
    """A camera's numbers as sent to clients."""
    at = now()
    fields = {name: getattr(view, name) for name in view.__slots__ if name in Camera.model_fields}
    fields["retry_in_ms"] = None if view.retry_in_ms is None else round(view.retry_in_ms)
    fields["archive"] = None if view.archive is None else archive(view.archive)
    fields["kept"] = None if view.kept is None else kept(view.kept)
    newest = None if view.newest_pts is None else moment(view, view.newest_pts, at)
    has_truth = view.url.startswith("demo:")
    return Camera(**fields, newest=newest, has_truth=has_truth, at=at)


def archive(holdings: Holdings) -> Archive:
    """What an archive holds."""
    tiers = (
        ArchiveTier(
            tier=level.tier.value,
            runs=level.runs,
            bytes=level.bytes,
            capacity=level.capacity,
            read=level.read,
        )
        for level in holdings.levels
    )
    return Archive(
        tiers=tuple(tiers),
        steps=holdings.steps,
        forgotten=holdings.forgotten,
        lost=holdings.lost,
    )


def kept(step: KeptStep) -> Kept:
    """What pruning kept of a step, as bits."""
    marks = np.zeros(step.rows * step.columns, np.uint8)
    marks[list(step.cells)] = 1
    bits = base64.b64encode(np.packbits(marks).tobytes()).decode("ascii")
    return Kept(pts_ms=round(step.time * 1000), rows=step.rows, columns=step.columns, cells=bits)


def views(cameras: CamerasSeam) -> list[CameraView]:
    """All cameras as they stand now."""
    return [cameras.get(name).view() for name in cameras.names()]


def cameras(cameras: CamerasSeam) -> tuple[Camera, ...]:
    """All cameras' numbers as sent to clients."""
    return tuple(camera(view) for view in views(cameras))


def camera_state(view: CameraView) -> CameraState:
    """How a camera is, without its counters."""
    return CameraState(
        camera=view.name,
        state=view.state,
        reason=view.reason,
        retry_in_ms=None if view.retry_in_ms is None else round(view.retry_in_ms),
        fps=view.fps,
        codec=view.codec,
        width=view.width,
        height=view.height,
        overload=view.overload,
        given_up=view.given_up,
        at=now(),
    )


def moment(view: CameraView, pts: float, at: datetime | None = None) -> Moment:
    """A point of a camera's stream on the wall clock, told from the age of its newest frame."""
    return Moment(camera=view.name, pts_ms=round(pts * 1000), at=moment_at(view, pts, at or now()))


def moment_at(view: CameraView, pts: float, at: datetime) -> datetime:
    """When that was on the wall clock."""
    age = (view.frame_age_ms or 0.0) / 1000 + max((view.newest_pts or pts) - pts, 0.0)
    return at - timedelta(seconds=age)


def annotation(view: CameraView, evidence: Evidence) -> Annotation:
    """What an answer could read, in stream seconds and on the clock."""
    return Annotation(
        camera=evidence.camera,
        t_start=evidence.t_start,
        t_end=evidence.t_end,
        tier=evidence.tier,
        start=moment(view, evidence.t_start),
        end=moment(view, evidence.t_end),
    )


def usage(result: AnswerResult) -> Usage:
    """What an answer cost."""
    return Usage(
        input_tokens=result.prompt_tokens,
        output_tokens=result.completion_tokens,
        total_tokens=result.prompt_tokens + result.completion_tokens,
        lookout={"memory_tokens": result.memory_tokens},
    )


def timing(result: AnswerResult) -> Timing:
    """How long an answer took."""
    return Timing(
        queue_ms=_rounded(result.queue_ms),
        ttft_ms=_rounded(result.ttft_ms),
        tokens_per_s=_rounded(result.tokens_per_s),
        total_ms=_rounded(result.total_ms),
        frame_age_ms=_rounded(result.frame_age_ms),
    )


def error_body(
    error: LookoutError, *, event_id: str | None = None, param: str | None = None
) -> ErrorBody:
    """An error of ours as sent to clients."""
    broken = isinstance(error, EngineError | GenerationFailed)
    kind = "server_error" if broken else "invalid_request_error"
    wait = error.retry_after_s if isinstance(error, Busy) else None
    return ErrorBody(
        type="overloaded_error" if error.retryable else kind,
        code=error.code,
        message=str(error),
        param=param,
        event_id=event_id,
        lookout=None if wait is None else Retry(retry_after_ms=round(wait * 1000)),
    )


class BadEvent(LookoutError):
    """A client's event cannot be understood; carries what the error event says."""

    def __init__(self, body: ErrorBody) -> None:
        super().__init__(body.message)
        self.body = body


def parse_event(data: dict[str, Any]) -> AnyClientEvent:
    """A client's event.

    Raises:
        BadEvent: unknown type, missing or wrong field; names it.
    """
    event_id = data.get("event_id")
    known = isinstance(event_id, str) and len(event_id) <= MAX_ID_CHARS
    event_id = event_id if known else None
    kind = data.get("type")
    try:
        return CLIENT_EVENT.validate_python(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
    if first["type"].startswith("union_tag"):
        quoted = repr(kind)[:MAX_QUOTED]
        text = f"unknown event {quoted}" if "type" in data else "the event has no type"
        raise BadEvent(_bad("unknown_event", text, "type", event_id)) from None
    param = _path(first["loc"][1:])
    raise BadEvent(_bad("invalid_event", f"{param}: {first['msg']}", param, event_id)) from None


def not_json(detail: str) -> ErrorBody:
    """The error for a text message that is not a JSON object."""
    return _bad("invalid_json", f"the message is not a JSON object: {detail}", None, None)


def _bad(code: str, message: str, param: str | None, event_id: str | None) -> ErrorBody:
    return ErrorBody(
        type="invalid_request_error", code=code, message=message, param=param, event_id=event_id
    )


def _path(parts: Sequence[str | int]) -> str:
    """Where in an event; cut short, since a client may make up keys of any length."""
    return ".".join(str(part)[:MAX_QUOTED] for part in parts) or "event"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
