"""What happened, as far as somebody wrote it down: the timeline of all cameras."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from core.events import EventsQuery, TimelineEvent, now
from stream.cameras.seam import CameraSeam, CamerasSeam
from stream.conversations import wire


def timeline(cameras: CamerasSeam, query: EventsQuery) -> tuple[TimelineEvent, ...]:
    """The newest entries that a query asks for, oldest first.

    Raises:
        CameraNotFound: if it names one that there is not.
    """
    at, words = now(), query.search.casefold()
    names = cameras.names() if query.camera is None else [query.camera]
    found = [
        event
        for name in names
        for event in _notes(cameras.get(name), at)
        if words in event.text.casefold() and (query.since is None or event.end.at >= query.since)
    ]
    found.sort(key=lambda event: event.end.at)
    return tuple(found[-query.limit :])


def _notes(camera: CameraSeam, at: datetime) -> Iterator[TimelineEvent]:
    view = camera.view()
    for note in camera.notes():
        yield TimelineEvent(
            kind="note",
            camera=view.name,
            t_start=note.t_start,
            t_end=note.t_end,
            start=wire.moment(view, note.t_start, at),
            end=wire.moment(view, note.t_end, at),
            text=note.text,
        )
