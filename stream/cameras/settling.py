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

    return lambda result: on_loop(loop, lambda: settle(result))


async def heard(begin: Callable[[Callable[[Result], None]], object]) -> Result:
    """What the engine says to a listener.

    Args:
        begin: starts what is to be heard of, given the listener.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()
    begin(settler(loop, future))
    return await future


def on_loop(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    """Have something called on the loop's thread; a closed loop has nobody left who waits."""
    try:
        loop.call_soon_threadsafe(call)
    except RuntimeError:
        if not loop.is_closed():
            raise
