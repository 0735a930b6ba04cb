"""From the engine's thread to the event loop: a listener that settles a future."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from core.errors import LookoutError
from engine.requests import Perceived


def settler(
    loop: asyncio.AbstractEventLoop, future: asyncio.Future[Perceived | LookoutError]
) -> Callable[[Perceived | LookoutError], None]:
    """A listener that settles a future of this loop from the engine's thread."""

    def settle(result: Perceived | LookoutError) -> None:
        if not future.done():
            future.set_result(result)

    def listener(result: Perceived | LookoutError) -> None:
        try:
            loop.call_soon_threadsafe(settle, result)
        except RuntimeError:
            if not loop.is_closed():
                raise

    return listener
