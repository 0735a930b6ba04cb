"""One thread for calls that may block: what is urgent goes first, and nobody waits for its end."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")


class Worker:
    """Runs calls one after the other; its thread starts with the first of them.

    A call that hangs holds up those behind it, never a caller nor the end of the process.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._wake = threading.Condition()
        self._urgent: deque[Callable[[], None]] = deque()
        self._calls: deque[Callable[[], None]] = deque()
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, call: Callable[[], Result], *, urgent: bool = False) -> Future[Result]:
        """What a call returns or raises, some time. After `close` it is cancelled at once."""
        done: Future[Result] = Future()

        def work() -> None:
            if not done.set_running_or_notify_cancel():
                return
            try:
                result = call()
            except BaseException as error:
                done.set_exception(error)
            else:
                done.set_result(result)

        with self._wake:
            if self._closed:
                done.cancel()
                return done
            (self._urgent if urgent else self._calls).append(work)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._wake.notify()
        return done

    def close(self, last: Callable[[], Any] | None = None) -> None:
        """Drop what has not begun, run a last call and end. Idempotent, returns at once."""
        with self._wake:
            if self._closed:
                return
            self._urgent.clear()
            self._calls.clear()
        if last is not None:
            self.submit(last)
        with self._wake:
            self._closed = True
            self._wake.notify()

    def join(self, timeout: float) -> bool:
        """Wait until it has ended after `close`; whether it has."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self._thread is None or not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not (self._urgent or self._calls or self._closed):
                    self._wake.wait()
                if not (self._urgent or self._calls):
                    return
                call = (self._urgent or self._calls).popleft()
            call()
            del call  # what it holds is not kept until the next one comes
