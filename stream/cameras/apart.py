"""Blocking calls that may hang for ever, on threads that hold up neither the loop nor the exit."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


async def apart(call: Callable[[], Result]) -> Result:
    """What a blocking call returns or raises, from a thread of its own.

    Whoever is cancelled leaves the call behind, and so does a process that ends: threads of
    asyncio's own pool would be waited for.
    """
    done: Future[Result] = Future()
    done.set_running_or_notify_cancel()  # so that nobody who leaves can take the result's place

    def work() -> None:
        try:
            result = call()
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(result)

    threading.Thread(target=work, name="lookout-disk", daemon=True).start()
    return await asyncio.wrap_future(done)
