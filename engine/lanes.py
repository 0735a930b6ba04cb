"""Where the eye computes: in line with everything else, or beside it on a stream of its own.

On a GPU the vision tower then runs while answers are spoken, and what it saw is waited for by the
device only, where it is needed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from core.tokens import VisualTokens

Look = Callable[[], Sequence[VisualTokens]]


class Seeing(ABC):
    """One piece of what a call of the vision tower will have seen."""

    @property
    @abstractmethod
    def ready(self) -> bool:
        """Whether taking it makes nobody wait."""

    @abstractmethod
    def take(self) -> VisualTokens:
        """What was seen; work launched from now on may read it."""


class Lane(ABC):
    """Runs calls of the vision tower; belongs to one thread."""

    beside: ClassVar[bool]  # whether other work goes on meanwhile
    stream: torch.cuda.Stream | None = None  # that it has to itself

    @abstractmethod
    def run(self, look: Look) -> list[Seeing]:
        """Launch one call, which may fail at once."""


class InLine(Lane):
    """Looks when it is asked to: for a CPU, and where there is one stream."""

    beside = False

    def run(self, look: Look) -> list[Seeing]:
        """See `Lane.run`."""
        return [_Seen(tokens) for tokens in look()]


class Beside(Lane):
    """A CUDA stream for the eye alone.

    Args:
        device: of the model.
    """

    beside = True

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.stream = self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def run(self, look: Look) -> list[Seeing]:
        """See `Lane.run`."""
        with torch.cuda.device(self._device):
            self._stream.wait_stream(torch.cuda.current_stream())  # weights may just have come
            with torch.cuda.stream(self._stream):
                seen = look()
                done = torch.cuda.Event()  # type: ignore[no-untyped-call]
                done.record(self._stream)
        return [_Coming(tokens, done, self._device) for tokens in seen]


class _Seen(Seeing):
    """Already there."""

    ready = True

    def __init__(self, tokens: VisualTokens) -> None:
        self._tokens = tokens

    def take(self) -> VisualTokens:
        return self._tokens


class _Coming(Seeing):
    """There when an event has happened."""

    def __init__(self, tokens: VisualTokens, done: torch.cuda.Event, device: torch.device) -> None:
        self._tokens, self._done, self._device = tokens, done, device

    @property
    def ready(self) -> bool:
        happened: bool = self._done.query()  # type: ignore[no-untyped-call]
        return happened

    def take(self) -> VisualTokens:
        stream = torch.cuda.current_stream(self._device)
        stream.wait_event(self._done)
        for tensor in tensors_of(self._tokens):
            tensor.record_stream(stream)  # its memory is not given to the eye again before that
        return self._tokens


def tensors_of(tokens: VisualTokens) -> list[Tensor]:
    """All tensors of visual tokens that are on the device."""
    found = [tokens.features, *tokens.deepstack, tokens.attention, tokens.pixels]
    return [tensor for tensor in found if tensor is not None]


def lane_for(device: torch.device) -> Lane:
    """A stream of its own where there are streams."""
    return Beside(device) if device.type == "cuda" else InLine()
