"""Events on their way to one client: bounded, and patient with a slow one without losing text.

Loss rule: deltas of one answer merge; statistics and camera states are replaced by newer ones;
everything else is kept. Beyond the limit the client is too slow and its conversation closes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable

from core.errors import ClientTooSlow
from core.events import ServerEvent


class Outbox:
    """Events that wait to be written, in order; one task reads.

    Args:
        limit: events that may wait.
    """

    def __init__(self, limit: int = 1024) -> None:
        self._limit = limit
        self._waiting: dict[Hashable, ServerEvent] = {}  # insertion order is sending order
        self._count = 0
        self._closed = False
        self._overflowed = False
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, event: ServerEvent) -> None:
        """Send this after all that waits; merged with what waits in its slot. Ignored once closed.

        Never raises: the reader of the box learns of the overflow, not the one who had news.
        """
        if self._closed or self._overflowed:
            return
        slot = event.slot
        known = self._waiting.get(slot) if slot is not None else None
        if known is not None:
            self._waiting[slot] = known.absorb(event)
        else:
            self._count += 1
            self._waiting[slot if slot is not None else self._count] = event
            self._overflowed = len(self._waiting) > self._limit
        self._changed.set()

    def close(self) -> None:
        """Accept nothing more; what waits is still handed out. Idempotent."""
        self._closed = True
        self._changed.set()

    async def get(self) -> ServerEvent | None:
        """The next event; None once the box is closed and empty. Cancelling it loses none.

        Raises:
            ClientTooSlow: if more waited than the limit.
        """
        while True:
            if self._overflowed:
                raise ClientTooSlow(f"more than {self._limit} events wait to be read")
            if self._waiting:
                return self._waiting.pop(next(iter(self._waiting)))
            if self._closed:
                return None
            self._changed.clear()
            await self._changed.wait()
