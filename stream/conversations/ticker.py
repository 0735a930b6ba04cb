"""Something done every so often, at an interval that may change or stop at any time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Ticker:
    """Calls back at an interval; silent until one is set.

    Args:
        tick: called on the event loop, must not block.
        shortest_s: lower bound of the interval.
    """

    def __init__(self, tick: Callable[[], None], *, shortest_s: float = 0.1) -> None:
        self._tick = tick
        self._shortest_s = shortest_s
        self._interval_s: float | None = None
        self._changed = asyncio.Event()

    def every(self, seconds: float) -> None:
        """Tick now and then every so often; 0 stops."""
        self._interval_s = max(seconds, self._shortest_s) if seconds else None
        self._changed.set()

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            self._changed.clear()
            if self._interval_s is not None:
                self._tick()
            try:
                async with asyncio.timeout(self._interval_s):
                    await self._changed.wait()
            except TimeoutError:
                continue
