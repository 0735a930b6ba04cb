"""From a thread that speaks to a task that listens."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

Say = Callable[[int], bool]  # takes the next token; False: nobody listens any more


@asynccontextmanager
async def spoken(work: Callable[[Say], None]) -> AsyncIterator[AsyncIterator[int]]:
    """Run `work` on a thread and hear what it says.

    What waits to be heard is bounded by the length of the answer. Leaving tells the thread that
    nobody listens and waits for its end.
    """
    loop = asyncio.get_running_loop()
    heard: asyncio.Queue[int | None] = asyncio.Queue()
    left = threading.Event()

    def say(token: int) -> bool:
        loop.call_soon_threadsafe(heard.put_nowait, token)
        return not left.is_set()

    def run() -> None:
        try:
            work(say)
        finally:
            loop.call_soon_threadsafe(heard.put_nowait, None)

    async def words() -> AsyncIterator[int]:
        while (token := await heard.get()) is not None:
            yield token

    speaking = asyncio.create_task(asyncio.to_thread(run))
    try:
        yield words()
    finally:
        left.set()
        await speaking
