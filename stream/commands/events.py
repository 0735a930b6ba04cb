"""`lookout events`: what a running server's cameras wrote down."""

from __future__ import annotations

import json
import sys
from datetime import datetime

from client import Lookout
from core.errors import ConfigError


async def events(
    server: str,
    key: str | None,
    camera: str | None,
    search: str,
    since: str | None,
    limit: int,
    *,
    as_json: bool,
) -> None:
    """Print the newest entries of the timeline, oldest first, a line each.

    Args:
        server: its address.
        key: to come in by.
        camera: of this one only.
        search: with these words only.
        since: that ended since then, ISO 8601; local time where it names no zone.
        limit: entries at most.
        as_json: one JSON object per line instead of words.

    Raises:
        LookoutError: if the server cannot be reached or refuses, or no time can be read.
    """
    at = None if since is None else _time(since)
    async with Lookout(server, key=key) as lookout:
        found = await lookout.history(camera, search=search, since=at, limit=limit)
    if not found and not as_json:
        print("nothing noted; cameras take notes where memory.notes is enabled", file=sys.stderr)
    for event in found:
        if as_json:
            print(event.model_dump_json())
        else:
            when = event.end.at.astimezone().isoformat(" ", "seconds")
            print(f"{when}  {event.camera}  {json.dumps(event.text, ensure_ascii=False)[1:-1]}")


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise ConfigError(
            f"--since {text!r} is no time: write 2026-11-20T21:30 or 2026-11-20T21:30+01:00"
        ) from None
