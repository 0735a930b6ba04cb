"""What happened, as far as somebody wrote it down: the timeline of all cameras over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from core.events import Moment, now
from stream.cameras.seam import CameraSeam, CamerasSeam
from stream.conversations import wire


class Event(BaseModel):
    """One entry of the timeline."""

    kind: Literal["note"] = "note"
    camera: str
    t_start: float = Field(description="Stream seconds.")
    t_end: float = Field(description="Stream seconds.")
    start: Moment
    end: Moment
    text: str


class Timeline(BaseModel):
    """Entries, oldest first."""

    events: tuple[Event, ...]


def event_routes(cameras: CamerasSeam) -> APIRouter:
    """`/api/events`."""
    router = APIRouter(prefix="/api/events", tags=["events"])

    @router.get("")
    async def events(
        camera: str | None = None,
        search: Annotated[str, Query(max_length=200)] = "",
        since: AwareDatetime | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Timeline:
        """The newest entries: of one camera, with these words, that ended since then."""
        names = cameras.names() if camera is None else [camera]
        at = now()
        found = [
            event
            for name in names
            for event in _notes(cameras.get(name), at)
            if search.casefold() in event.text.casefold()
            and (since is None or event.end.at >= since)
        ]
        found.sort(key=lambda event: event.end.at)
        return Timeline(events=tuple(found[-limit:]))

    return router


def _notes(camera: CameraSeam, at: datetime) -> Iterator[Event]:
    view = camera.view()
    for note in camera.notes():
        yield Event(
            camera=view.name,
            t_start=note.t_start,
            t_end=note.t_end,
            start=wire.moment(view, note.t_start, at),
            end=wire.moment(view, note.t_end, at),
            text=note.text,
        )
