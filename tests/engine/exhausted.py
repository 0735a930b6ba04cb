"""Parts of the engine that find no memory at a chosen call, each through its own seam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from core.frames import Segment
from core.tokens import VisualTokens
from memory.policies.policy import Contents, Retained
from memory.policies.sink_window import SinkWindow
from memory.readers.reader import Plan, Reader
from memory.readers.torch_reader import TorchReader
from memory.table import TokenTable
from models.layout import Chunk
from models.qwen3_vl import Qwen3VL
from tests.tiny import ours


class Calls:
    """Counts calls and fails those numbered `first` to `last`, from 0 on; at first none."""

    def __init__(self) -> None:
        self.count = 0
        self.first = self.last = -1

    def fail(self, first: int, times: int = 1) -> None:
        self.count, self.first, self.last = 0, first, first + times - 1

    @property
    def failed(self) -> bool:
        return self.count > self.first >= 0

    def one(self) -> None:
        number, self.count = self.count, self.count + 1
        if self.first <= number <= self.last:
            raise torch.OutOfMemoryError("no memory is left")


class Forwards(Qwen3VL):
    """The tiny model, whose forwards or encodes may fail."""

    def __init__(self, forwards: Calls, encodes: Calls) -> None:
        vars(self).update(vars(ours()))
        self.forwards, self.encodes = forwards, encodes

    def forward(self, chunks: Sequence[Chunk], plan: Plan) -> Tensor:
        self.forwards.one()
        return super().forward(chunks, plan)

    def encode(self, segments: Sequence[Segment], **how: Any) -> list[VisualTokens]:
        self.encodes.one()
        return super().encode(segments, **how)


class Reads(Reader):
    """The reference, which may fail in the middle of a forward."""

    def __init__(self, calls: Calls) -> None:
        self.calls, self._inner = calls, TorchReader()

    def read(self, plan: Plan, layer: int, query: Tensor, scale: float) -> Tensor:
        self.calls.one()
        return self._inner.read(plan, layer, query, scale)


@dataclass(frozen=True)
class Retains(SinkWindow):
    """A window that may fail when it is asked what stays."""

    calls: Calls = field(default_factory=Calls)

    def retain(self, contents: Contents, incoming: TokenTable, limit: int) -> Retained | None:
        self.calls.one()
        return super().retain(contents, incoming, limit)


class Torn(SinkWindow):
    """A window during whose next question its memory is damaged beyond repair, once."""

    def retain(self, contents: Contents, incoming: TokenTable, limit: int) -> Retained | None:
        if hit := vars(self).pop("hit", None):
            hit()
            raise torch.OutOfMemoryError("no memory is left")
        return super().retain(contents, incoming, limit)
