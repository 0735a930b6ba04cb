"""What a question reads of the archive, while it is fetched."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Final

import torch
from torch import Tensor

from core.errors import MemoryDamaged
from memory.recall.parcel import unwrap
from memory.recall.step import Step
from memory.recall.tiers import Run, Span, Tier

PATIENCE_S: Final = 5.0


class Opening:
    """Copies of some runs' bytes: there at once, or on their way from the disk.

    Nothing that the archive does changes them any more.

    Args:
        steps: that are wanted, each in its run, in order of time.
        found: where each run lay and its bytes, uint8 [n].
        patience_s: for the disk; after that a question goes without what it has not brought.
    """

    def __init__(
        self,
        steps: Sequence[tuple[Run, Span]],
        found: Mapping[Run, tuple[Tier, Tensor | Future[Tensor]]],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._steps = steps
        self._found = found
        self._until = time.monotonic() + patience_s

    @property
    def ready(self) -> bool:
        """Whether all that will come is there."""
        pending = any(
            not isinstance(result, Tensor) and not result.done()
            for _, result in self._found.values()
        )
        return not pending or time.monotonic() >= self._until

    def steps(self, device: torch.device) -> list[tuple[Step, Tier] | None]:
        """Each step and where it lay, on `device`; None for those that did not come."""
        frozen = {
            run: (unwrap(run.layout, data.to(device)), tier)
            for run, (tier, result) in self._found.items()
            if (data := _here(run, result)) is not None
        }
        found: list[tuple[Step, Tier] | None] = []
        for run, span in self._steps:
            if run not in frozen:
                found.append(None)
                continue
            whole, tier = frozen[run]
            step = Step(whole, span.start, span.stop, span.time, span.base, span.size)
            found.append((step, tier))
        return found

    def came(self) -> Iterator[Tier]:
        """Where each step lay that is there."""
        for run, _ in self._steps:
            tier, result = self._found[run]
            if _here(run, result) is not None:
                yield tier

    def abandon(self) -> None:
        """Ask the disk no more for what has not come."""
        for _, result in self._found.values():
            if not isinstance(result, Tensor):
                result.cancel()

    def refused(self) -> Iterator[Run]:
        """The runs that the disk does not give now, and may give another time."""
        for run, (_, result) in self._found.items():
            if isinstance(result, Tensor) or not result.done() or result.cancelled():
                continue
            if isinstance(result.exception(), OSError):
                yield run

    def damaged(self) -> Iterator[tuple[Run, str]]:
        """The runs whose files are not as they were written, and why."""
        for run, (_, result) in self._found.items():
            if isinstance(result, Tensor) or not result.done() or result.cancelled():
                continue
            error = result.exception()
            if isinstance(error, MemoryDamaged):
                yield run, str(error)
            elif error is None and len(result.result()) != run.layout.nbytes:
                yield run, "its file holds another run"


def _here(run: Run, result: Tensor | Future[Tensor]) -> Tensor | None:
    if isinstance(result, Tensor):
        return result
    if not result.done() or result.cancelled() or result.exception() is not None:
        return None
    data = result.result()
    return data if len(data) == run.layout.nbytes else None
