"""What other threads want done on the engine's thread; one that fails ends only whose it is."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from core.errors import EngineDead, GenerationFailed, LookoutError
from engine.failing import DEVICE_FAILED

log = logging.getLogger("lookout.engine")


def nobody(error: LookoutError) -> None:
    """For commands that belong to nobody who could be told."""


@dataclass(frozen=True, slots=True)
class Command:
    """One thing to do, and who is told if it cannot be done."""

    run: Callable[[], None]
    failed: Callable[[LookoutError], None] = nobody

    def perform(self) -> None:
        """Do it; what it raises ends what it belongs to, unless the device itself failed."""
        try:
            self.run()
        except DEVICE_FAILED as error:
            self._tell(EngineDead(f"the engine died: {type(error).__name__}"))
            raise
        except Exception as error:
            log.exception("a command failed")
            if not isinstance(error, LookoutError):
                error = GenerationFailed(f"it failed: {type(error).__name__}")
            self._tell(error)

    def perform_last(self, reason: EngineDead) -> None:
        """Do it on an engine that has ended, so that its handle is among those that are told."""
        try:
            self.run()
        except Exception:
            log.exception("a command failed while the engine ended")
            self._tell(reason)

    def _tell(self, error: LookoutError) -> None:
        try:
            self.failed(error)
        except Exception:
            log.exception("a listener failed")
