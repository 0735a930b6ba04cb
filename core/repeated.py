"""Failures that may come back for days: told once with all that is known, then counted."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

EVERY_S: Final = 10.0


class Repeated:
    """Logs one kind of failure. From any thread.

    What is lost: lines. After one was written the next failures are counted only, until so many
    seconds have passed; the next line then says how many there were.

    Args:
        log: where to.
        every_s: seconds from one line to the next at least.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        log: logging.Logger,
        every_s: float = EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._every_s = every_s
        self._clock = clock
        self._lock = threading.Lock()
        self._quiet = 0  # since the newest line
        self._again = float("-inf")  # from when on one may be written

    def tell(self, what: str, error: BaseException) -> None:
        """Write a line with the traceback, or count.

        Args:
            what: happened, in a few words.
            error: why.
        """
        with self._lock:
            now = self._clock()
            if now < self._again:
                self._quiet += 1
                return
            quiet, self._quiet = self._quiet, 0
            self._again = now + self._every_s
        more = f" ({quiet} more since the line before)" if quiet else ""
        self._log.error("%s%s", what, more, exc_info=error)
