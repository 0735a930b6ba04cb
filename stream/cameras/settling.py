"""From the engine's thread to the event loop: a listener that settles a future."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def settler(
    loop: asyncio.AbstractEventLoop, future: asyncio.Future[Result]
) -> Callable[[Result], None]:
    """A listener that settles a future of this loop from the engine's thread."""

    def settle(result: Result) -> None:
        if not future.done():
            future.set_result(result)

    def listener(result: Result) -> None:
        try:
            loop.call_soon_threadsafe(settle, result)
        except RuntimeError:
            if not loop.is_closed():
                raise

    return listener
