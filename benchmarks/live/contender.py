"""The seam of the comparison: one way to drive a model that watches a stream and is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from core.frames import Segment


class Contender(Protocol):
    """Watches one stream; one task watches, another may ask meanwhile.

    Attributes:
        name: in tables.
        grows: whether an answer takes the longer, the longer it has watched.
    """

    name: str
    grows: bool

    async def watch(self, segment: Segment) -> int:
        """Take in a segment.

        Returns:
            frames that an answer begun now would know of and one begun before would not; frames
            come in the order in which they were handed in.
        """

    async def skip(self, frames: int) -> None:
        """Stand where it would stand had so many frames passed; what they showed is not known."""

    def ask(self, question: str, tokens: int) -> AbstractAsyncContextManager[AsyncIterator[int]]:
        """An answer of exactly so many tokens, greedily; what would end it earlier is never said.

        Entering waits until it is settled what the answer reads; leaving stops it.

        Returns:
            the ids of its tokens as they are said.
        """

    @property
    def read_tokens(self) -> int:
        """Tokens that the last answer attended to before it began."""

    @property
    def held_bytes(self) -> int:
        """Bytes held between questions."""

    @property
    def answer_bytes(self) -> int:
        """Bytes of keys and values that the last answer computed for itself alone."""
