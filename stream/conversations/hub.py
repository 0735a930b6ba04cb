"""All open conversations: how many there may be, and how they end when the server does."""

from __future__ import annotations

import asyncio

from starlette.websockets import WebSocket

from stream.access.auth import Identity
from stream.conversations.conversation import Conversation, Surroundings


class Hub:
    """Opens conversations and sends them home.

    Args:
        around: what they share.
        limit: conversations at once.
    """

    def __init__(self, around: Surroundings, *, limit: int = 64) -> None:
        self._around = around
        self._limit = limit
        self._open: set[Conversation] = set()
        self._changed = asyncio.Event()
        self._closing = False

    def __len__(self) -> int:
        return len(self._open)

    @property
    def full(self) -> bool:
        """Whether no further conversation is taken."""
        return self._closing or len(self._open) >= self._limit

    async def serve(self, socket: WebSocket, identity: Identity) -> None:
        """Talk over an accepted websocket until it closes."""
        conversation = Conversation(socket, identity, self._around)
        metrics = self._around.metrics
        self._open.add(conversation)
        metrics.conversations.set(len(self._open))
        code = 1011
        try:
            code = await conversation.run()
        finally:
            self._open.discard(conversation)
            metrics.conversations.set(len(self._open))
            metrics.closed(code)
            self._changed.set()

    async def close(self, reason: str, deadline_s: float = 5.0) -> None:
        """Send everybody home and wait for them, at most until the deadline. Idempotent."""
        self._closing = True
        for conversation in self._open:
            conversation.leave(reason)
        try:
            async with asyncio.timeout(deadline_s):
                while self._open:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return  # the web server cuts off who is still there
