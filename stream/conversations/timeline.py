"""What happened, as far as somebody wrote it down: the timeline of all cameras."""

from __future__ import annotations

from datetime import datetime

from core.events import EventsQuery, TimelineEvent, now
from engine.requests import Noted
from stream.cameras.seam import CameraSeam, CamerasSeam
from stream.cameras.view import CameraView
from stream.conversations import wire


def timeline(cameras: CamerasSeam, query: EventsQuery) -> tuple[TimelineEvent, ...]:
    """The newest entries that a query asks for, oldest first.

    Raises:
        CameraNotFound: if it names one that there is not.
    """
    at, words = now(), query.search.casefold()
    names = cameras.names() if query.camera is None else [query.camera]
    found = [
        (wire.moment_at(view, note.t_end, at), view, note)
        for view, notes in map(_noted, map(cameras.get, names))
        for note in notes
        if words in note.text.casefold()
    ]
    wanted = [one for one in found if query.since is None or one[0] >= query.since]
    wanted.sort(key=lambda one: one[0])
    return tuple(_event(view, note, at) for _, view, note in wanted[-query.limit :])


def _noted(camera: CameraSeam) -> tuple[CameraView, tuple[Noted, ...]]:
    return camera.view(), camera.notes()


def _event(view: CameraView, note: Noted, at: datetime) -> TimelineEvent:
    return TimelineEvent(
        kind="note",
        camera=view.name,
        t_start=note.t_start,
        t_end=note.t_end,
        start=wire.moment(view, note.t_start, at),
        end=wire.moment(view, note.t_end, at),
        text=note.text,
    )
