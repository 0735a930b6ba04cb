"""Places for answers: how many are given or waited for, and how soon one is free."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from core.errors import Busy
from engine.requests import AnswerListener, Begun, Ended

WEIGHT = 0.2  # of the newest answer in the mean of how long they take


class Places:
    """Counts answers in and out. From any thread.

    Args:
        answers: given at once.
        waiting: that may wait for a place besides.
        clock: monotonic seconds.
    """

    def __init__(
        self, answers: int, waiting: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._answers = answers
        self._most = answers + waiting
        self._clock = clock
        self._lock = threading.Lock()
        self._taken = 0
        self._mean_s: float | None = None  # from an answer's beginning to its end

    def take(self, listener: AnswerListener) -> Place:
        """A place for one more answer.

        Args:
            listener: of the answer.

        Raises:
            Busy: if there is none; says when to ask again, if an answer has ended before.
        """
        with self._lock:
            if self._taken >= self._most:
                wait = self._wait_s()
                when = "shortly" if wait is None else f"in about {math.ceil(wait)} s"
                raise Busy(
                    f"{self._most} questions are being answered or waited for; ask again {when}",
                    wait,
                )
            self._taken += 1
        return Place(listener, self._clock, self._over)

    def _over(self, seconds: float | None) -> None:
        with self._lock:
            self._taken -= 1
            if seconds is not None:
                mean = self._mean_s
                self._mean_s = seconds if mean is None else mean + WEIGHT * (seconds - mean)

    def _wait_s(self) -> float | None:
        """One of those given at once ends in this time, on average; at least a second."""
        return None if self._mean_s is None else max(1.0, self._mean_s / self._answers)


class Place:
    """An answer's listener that gives the place back when the answer is over."""

    def __init__(
        self,
        inner: AnswerListener,
        clock: Callable[[], float],
        over: Callable[[float | None], None],
    ) -> None:
        self.delta = inner.delta
        self._inner = inner
        self._clock = clock
        self._over = over
        self._began: float | None = None

    def begun(self, begun: Begun) -> None:
        """The snapshot was taken."""
        self._began = self._clock()
        self._inner.begun(begun)

    def ended(self, ended: Ended) -> None:
        """The answer is over."""
        self._over(None if self._began is None else self._clock() - self._began)
        self._inner.ended(ended)

    def give_back(self) -> None:
        """The answer never was; nobody is told."""
        self._over(None)
