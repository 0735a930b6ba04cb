"""A device that has no memory left at a chosen moment, through torch's own seam for that."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Exhausted(TorchDispatchMode):
    """Within it the calls of torch numbered `first` to `last`, from 0 on, find no memory."""

    def __init__(self, first: int, last: int | None = None) -> None:
        super().__init__()
        self.fail(first, last)

    def fail(self, first: int, last: int | None = None) -> None:
        """Begin to count anew."""
        self._first, self._last = first, first if last is None else last
        self.calls = 0

    @property
    def failed(self) -> bool:
        """Whether one did."""
        return self.calls > self._first >= 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        number, self.calls = self.calls, self.calls + 1
        if self._first <= number <= self._last:
            raise torch.OutOfMemoryError("no memory is left")
        return func(*args, **(kwargs or {}))
