"""The timeline of all cameras over plain HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel

from core.events import CAMERA_NAME, EventsQuery, TimelineEvent
from stream.cameras.seam import CamerasSeam
from stream.conversations.timeline import timeline


class Timeline(BaseModel):
    """Entries, oldest first."""

    events: tuple[TimelineEvent, ...]


def event_routes(cameras: CamerasSeam) -> APIRouter:
    """`/api/events`."""
    router = APIRouter(prefix="/api/events", tags=["events"])

    @router.get("")
    async def events(
        camera: Annotated[str | None, Query(pattern=CAMERA_NAME)] = None,
        search: Annotated[str, Query(max_length=200)] = "",
        since: AwareDatetime | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Timeline:
        """The newest entries: of one camera, with these words, that ended since then."""
        query = EventsQuery(camera=camera, search=search, since=since, limit=limit)
        return Timeline(events=timeline(cameras, query))

    return router
