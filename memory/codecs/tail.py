"""Newest tokens kept as they are, beside older ones that are encoded."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor

from memory.codecs.codec import Coder, Planes, Shape, nest, part


class Tail(ABC):
    """Says how many of the oldest tokens are encoded; the others stay as they are."""

    @abstractmethod
    def encoded(self, tokens: int) -> int:
        """Of so many tokens, how many are encoded."""


@dataclass(frozen=True)
class Newest(Tail):
    """At least `residual` newest tokens stay, and what fills no whole group."""

    residual: int
    group: int

    def encoded(self, tokens: int) -> int:
        """See `Tail.encoded`."""
        return max(tokens - self.residual, 0) // self.group * self.group


@dataclass(frozen=True)
class Flushed(Tail):
    """Tokens gather until there are `every`, and are then encoded together: none may stay."""

    every: int

    def encoded(self, tokens: int) -> int:
        """See `Tail.encoded`."""
        return tokens // self.every * self.every


@dataclass(frozen=True)
class WithTail(Coder):
    """Another coder for the older tokens, and the tail in the type it came in."""

    older: Coder
    tail: Tail

    @property
    def by_head(self) -> bool:
        """See `Coder.by_head`."""
        return self.older.by_head

    def encode(self, x: Tensor) -> Planes:
        """See `Coder.encode`."""
        split = self.tail.encoded(x.shape[1])
        planes = {"tail": x[:, split:].clone()}
        return planes | nest("older", self.older.encode(x[:, :split])) if split else planes

    def decode(self, planes: Planes, shape: Shape) -> Tensor:
        """See `Coder.decode`."""
        heads, tokens, d = shape
        split = tokens - planes["tail"].shape[1]
        x = planes["tail"].new_empty(shape).float()
        x[:, split:] = planes["tail"].float()
        if split:
            x[:, :split] = self.older.decode(part("older", planes), (heads, split, d))
        return x
