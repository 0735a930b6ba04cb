"""One thread for calls that may block: what is urgent goes first, and nobody waits for its end."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

Result = TypeVar("Result")
_Call = tuple[Future[Any], Callable[[], None]]

URGENT: Final = 1024  # urgent calls that wait, at most


class Worker:
    """Runs calls one after the other; its thread starts with the first of them.

    A call that hangs holds up those behind it, never a caller nor the end of the process. Of urgent
    ones, which nobody may want any more when their turn comes, so many wait; one more is cancelled.

    Args:
        name: of the thread.
        urgent: calls that wait, at most.
    """

    def __init__(self, name: str, urgent: int = URGENT) -> None:
        self._name = name
        self._most = urgent
        self._wake = threading.Condition()
        self._urgent: deque[_Call] = deque()
        self._calls: deque[_Call] = deque()
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, call: Callable[[], Result], *, urgent: bool = False) -> Future[Result]:
        """What a call returns or raises, some time; cancelled if it will never be made."""
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
            if urgent and len(self._urgent) >= self._most:
                self._urgent = deque(each for each in self._urgent if not each[0].cancelled())
            if self._closed or (urgent and len(self._urgent) >= self._most):
                done.cancel()
                return done
            (self._urgent if urgent else self._calls).append((done, work))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._wake.notify()
        return done

    def close(self, last: Callable[[], Any] | None = None) -> None:
        """Cancel what has not begun, run a last call and end. Idempotent, returns at once."""
        with self._wake:
            if self._closed:
                return
            for done, _ in (*self._urgent, *self._calls):
                done.cancel()
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
                done, call = (self._urgent or self._calls).popleft()
            call()
            del done, call  # what they hold is not kept until the next one comes
