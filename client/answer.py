"""One answer as its asker sees it: words as they come, and how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Self

from client.errors import error_of
from core.errors import LookoutError
from core.events import (
    Annotation,
    ClientEvent,
    ErrorBody,
    Response,
    ResponseCancel,
)


class Answer:
    """An async iterator of text; asked when the iteration begins.

    A failed answer raises what failed it; a cancelled or cut one just ends, and `response` says so.

    Attributes:
        text: all words so far.
        evidence: what it is based on.
        response: how it ended, with usage and timing; None before the end.
        name: what the server calls it; None until it has begun.
    """

    def __init__(
        self, question: Sequence[ClientEvent], send: Callable[[ClientEvent], Awaitable[None]]
    ) -> None:
        self.text = ""
        self.evidence: list[Annotation] = []
        self.response: Response | None = None
        self.name: str | None = None
        self._question = list(question)
        self._send = send
        self._unwanted = False
        self._told = False
        self._pending = ""
        self._error: LookoutError | None = None
        self._changed = asyncio.Event()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        """The next words.

        Raises:
            LookoutError: what the server says failed it, or `ConnectionLost`.
        """
        while self._question:
            await self._send(self._question.pop(0))
        while not self._pending:
            if self._error is not None:
                raise self._error
            if self.response is not None:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        words, self._pending = self._pending, ""
        return words

    async def cancel(self) -> None:
        """Stop it within one token; the iteration then ends. Idempotent, always safe."""
        self._unwanted = True
        if self.must_cancel:
            self._told = True
            await self._send(ResponseCancel(response_id=self.name))

    @property
    def must_cancel(self) -> bool:
        """Whether the server has to be told that nobody wants it, and can be."""
        named = self.name is not None and self.response is None
        return named and self._unwanted and not self._told

    def add(self, words: str) -> None:
        """More words came."""
        self.text += words
        self._pending += words
        self._changed.set()

    def end(self, response: Response) -> None:
        """It is over."""
        self.response = response
        details = response.status_details
        if response.status == "failed":
            unknown = ErrorBody(type="server_error", code="answer_failed", message="it failed")
            self.fail(error_of((details and details.error) or unknown))
        self._changed.set()

    def fail(self, error: LookoutError) -> None:
        """It will not come; the first reason counts."""
        self._error = self._error or error
        self._changed.set()
