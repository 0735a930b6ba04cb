"""What a failure ends: what it hit, and nothing else. Only a device that failed ends the engine.

A device without memory has not failed: what was asked for is not there, all else is as it was. The
same goes for a host. Failures may come by the hundred, so each kind is told once in a while and
counted always.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

import torch

from core.errors import Busy, GenerationFailed, LookoutError
from core.repeated import Repeated

log = logging.getLogger("lookout.engine")

Given = ParamSpec("Given")
Result = TypeVar("Result")

# After this nothing on the device can be relied on; a process that goes on would only fail slowly.
DEVICE_FAILED: Final = (torch.AcceleratorError,)
_ALLOCATOR: Final = "can't allocate memory"  # torch's words for it on a host


def out_of_memory(error: BaseException) -> bool:
    """Whether a device or the host had no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and _ALLOCATOR in str(error)


class Failures:
    """Runs what may fail. Counts `failures`, and those `out_of_memory` among them.

    Args:
        counters: of the engine.
        relieve: gives back what is cached; called when there was no memory.
    """

    def __init__(self, counters: Counter[str], relieve: Callable[[], None]) -> None:
        self._counters = counters
        self._relieve = relieve
        self._told: dict[tuple[str, str], Repeated] = {}  # by what failed, and how

    def attempt(
        self, what: str, work: Callable[Given, Result], /, *given: Given.args, **named: Given.kwargs
    ) -> Result | LookoutError:
        """What it returns, or why it failed, which was told already unless it is our own.

        Args:
            what: to say of a failure, one of a few sentences.
            work: is run.
            given: to it.
            named: to it.

        Raises:
            Exception: one of `DEVICE_FAILED`.
        """
        try:
            return work(*given, **named)
        except DEVICE_FAILED:
            raise
        except LookoutError as error:
            return error
        except Exception as error:
            reason = self._note(what, error)
        # Only here is what it had made gone, together with its frames, and can be given back.
        if isinstance(reason, Busy):
            self._relieve()
        return reason

    def _note(self, what: str, error: Exception) -> LookoutError:
        kind = type(error).__name__
        self._counters["failures"] += 1
        self._told.setdefault((what, kind), Repeated(log)).tell(what, error)
        if not out_of_memory(error):
            return GenerationFailed(f"it failed: {kind}")
        self._counters["out_of_memory"] += 1
        return Busy("the device has no memory left for it; try again")


def relief(device: torch.device) -> Callable[[], None]:
    """Gives back what torch keeps of a device's memory for later; a host's is never kept."""
    return torch.cuda.empty_cache if device.type == "cuda" else lambda: None
