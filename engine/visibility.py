"""What an answer sees of what comes in while it is given: the visibility rule.

An answer reads two caches, joined in attention: what perception remembers, which it never writes,
and its own private pages. Those are the dual caches of Think-While-Watching (arXiv 2603.11896). The
rule says which state of the first one each of its tokens reads: never a step that had not entered
memory when the token was planned, never one that memory had given up by then.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from memory.memory import KVMemory
from memory.snapshot import Extent, Snapshot
from memory.view import View


class Visibility(ABC):
    """Says what the next tokens of an answer read of the memory."""

    # Pydantic reads this: an unknown field in a configuration is refused, not ignored.
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    rule: str
    keeps_snapshot: ClassVar[bool] = True  # whether the snapshot is read until the answer's end

    @abstractmethod
    def view(self, snapshot: Snapshot, memory: KVMemory) -> View:
        """What a row planned now reads; valid for its forward.

        Args:
            snapshot: taken when the answer began.
            memory: of its camera, now.
        """

    @abstractmethod
    def extent(self, snapshot: Snapshot, memory: KVMemory) -> Extent:
        """What that covers."""


@dataclass(frozen=True)
class AsAsked(Visibility):
    """All tokens see what the memory held when the answer began, as a paused run would.

    In the distribution of every model. The default.
    """

    rule: Literal["snapshot"] = "snapshot"

    def view(self, snapshot: Snapshot, memory: KVMemory) -> View:
        """See `Visibility.view`."""
        return snapshot.view

    def extent(self, snapshot: Snapshot, memory: KVMemory) -> Extent:
        """See `Visibility.extent`."""
        return snapshot.extent


@dataclass(frozen=True)
class Live(Visibility):
    """Each token sees what the memory holds when it is planned (Speak-While-Watching's rule).

    Takes no page more than a snapshot: what it reads is the memory itself, between two steps of the
    engine, when nobody writes. What the answer said before keeps the keys it had. Stock models were
    not trained to be shown more in the middle of a sentence; the papers fine-tune for it.
    """

    rule: Literal["live"] = "live"
    keeps_snapshot: ClassVar[bool] = False

    def view(self, snapshot: Snapshot, memory: KVMemory) -> View:
        """See `Visibility.view`."""
        return memory.view()

    def extent(self, snapshot: Snapshot, memory: KVMemory) -> Extent:
        """See `Visibility.extent`."""
        return memory.extent()


RULES: tuple[type[Visibility], ...] = (AsAsked, Live)
