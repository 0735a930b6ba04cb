"""The truth of a rendered scene, told in the seconds of the camera's stream."""

from __future__ import annotations

from typing import Any, Protocol


class _World(Protocol):
    def truth(self, t: float) -> dict[str, Any]: ...


def truth_of(source: object, pts: float | None, offset: float) -> dict[str, Any] | None:
    """What really happens in a source that is a rendered world; None for all others.

    Args:
        source: the camera's present one.
        pts: of the newest frame, in stream seconds; None before the first.
        offset: stream seconds at second 0 of the world.
    """
    world: _World | None = getattr(source, "world", None)
    if world is None or pts is None:
        return None
    return _later(world.truth(pts - offset), offset) if offset else world.truth(pts)


def _later(truth: dict[str, Any], seconds: float) -> dict[str, Any]:
    objects = [{**o, "appeared": round(o["appeared"] + seconds, 2)} for o in truth["objects"]]
    events = [{**event, "t": round(event["t"] + seconds, 2)} for event in truth["events"]]
    return {**truth, "t": truth["t"] + seconds, "objects": objects, "events": events}
