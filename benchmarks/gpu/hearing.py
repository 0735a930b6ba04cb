"""Listens to answers of the engine and notes when what came."""

from __future__ import annotations

import threading
import time

from engine.requests import Begun, Ended


class Heard:
    """One answer; its times are monotonic seconds.

    Made right before the question is put: the time to the first token counts from there.
    """

    def __init__(self) -> None:
        self.asked = time.monotonic()
        self.deltas: list[float] = []
        self._ended: Ended | None = None
        self._spoke = threading.Event()
        self._over = threading.Event()

    def begun(self, begun: Begun) -> None:
        """It took its snapshot."""

    def delta(self, text: str) -> None:
        """A token more: the models of this benchmark say a word with each."""
        self.deltas.append(time.monotonic())
        self._spoke.set()

    def ended(self, ended: Ended) -> None:
        """It is over."""
        self._ended = ended
        self._spoke.set()
        self._over.set()

    def wait(self, timeout: float) -> Heard:
        """Until it is over.

        Raises:
            LookoutError: what it failed of.
            TimeoutError: if it is not over by then.
        """
        if not self._over.wait(timeout):
            raise TimeoutError(f"an answer was not over after {timeout:g} s")
        assert self._ended is not None
        if self._ended.error is not None:
            raise self._ended.error
        return self

    @property
    def first_token_s(self) -> float:
        """From the question to the first token."""
        return self.deltas[0] - self.asked
