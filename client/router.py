"""Which answer, which waiting call and which listener an event of the server is for."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Self, TypeVar

from pydantic import ValidationError

from client.answer import Answer
from client.errors import error_of
from core.errors import LookoutError, Unauthorized
from core.events import (
    SERVER_EVENT,
    AnnotationAdded,
    AnyServerEvent,
    Error,
    ResponseCreated,
    ResponseDone,
    TextDelta,
)

MARK = "lookout_client"  # metadata by which the server's answers tell their question
EVENTS_KEPT = 1024

Reply = TypeVar("Reply", bound=AnyServerEvent)


class EventStream:
    """Events as an async iterator; ends with the connection. Holds at most `EVENTS_KEPT`."""

    def __init__(self) -> None:
        self._events: deque[AnyServerEvent] = deque(maxlen=EVENTS_KEPT)
        self._ended = False
        self._changed = asyncio.Event()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AnyServerEvent:
        while not self._events:
            if self._ended:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        return self._events.popleft()

    def put(self, event: AnyServerEvent) -> None:
        """One more; the oldest gives way."""
        self._events.append(event)
        self._changed.set()

    def end(self) -> None:
        """No more will come."""
        self._ended = True
        self._changed.set()


class Router:
    """Hands each event to whom it concerns.

    Attributes:
        lost: why the connection ended; None while it lives.
    """

    def __init__(self) -> None:
        self.lost: LookoutError | None = None
        self._asked: dict[str, Answer] = {}  # by question, until the answer has a name
        self._answers: dict[str, Answer] = {}  # by the answer's name
        self._expected: list[tuple[type[Any], str, asyncio.Future[Any]]] = []
        self._streams: list[EventStream] = []
        self._parting: LookoutError | None = None

    def mark(self, token: str) -> dict[str, str]:
        """Metadata that brings the question's token back."""
        return {MARK: token}

    def asked(self, token: str, answer: Answer) -> None:
        """An answer to expect."""
        if self.lost is not None:
            answer.fail(self.lost)
        self._asked[token] = answer

    def expect(self, kind: type[Reply], asked: str = "") -> asyncio.Future[Reply]:
        """The next event of this kind, or the error that ends the connection.

        Args:
            kind: of event.
            asked: `event_id` of what asks for it; an error about that is raised, too.
        """
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        if self.lost is not None:
            reply.set_exception(self.lost)
        else:
            self._expected.append((kind, asked, reply))
        return reply

    def stream(self) -> EventStream:
        """All events from now on."""
        stream = EventStream()
        if self.lost is not None:
            stream.end()
        self._streams.append(stream)
        return stream

    def receive(self, message: str | bytes) -> None:
        """One message of the server; events of a newer protocol are passed over."""
        try:
            event = SERVER_EVENT.validate_json(message)
        except ValidationError:
            return
        for stream in self._streams:
            stream.put(event)
        self._settle(event)
        match event:
            case ResponseCreated(response=response):
                answer = self._asked.pop((response.metadata or {}).get(MARK, ""), None)
                if answer is not None:
                    self._answers[response.id] = answer
                    answer.name = response.id
            case TextDelta(response_id=name, delta=words) if name in self._answers:
                self._answers[name].add(words)
            case AnnotationAdded(response_id=name) if name in self._answers:
                self._answers[name].evidence.append(event.annotation)
            case ResponseDone(response=response) if response.id in self._answers:
                self._answers.pop(response.id).end(response)
            case Error():
                self._refused(event)

    def unwanted(self) -> list[Answer]:
        """Answers that were cancelled before the server had named them, and now can be."""
        return [answer for answer in self._answers.values() if answer.must_cancel]

    def end(self, why: LookoutError) -> None:
        """The connection is gone; everybody who waits is told why."""
        self.lost = self.lost or self._parting or why
        for answer in (*self._asked.values(), *self._answers.values()):
            answer.fail(self.lost)
        for _, _, reply in self._expected:
            if not reply.done():
                reply.set_exception(self.lost)
        for stream in self._streams:
            stream.end()
        self._asked.clear()
        self._answers.clear()
        self._expected.clear()

    def _settle(self, event: AnyServerEvent) -> None:
        for place, (kind, asked, reply) in enumerate(self._expected):
            refused = isinstance(event, Error) and asked and event.error.event_id == asked
            if refused or isinstance(event, kind):
                del self._expected[place]
                if not reply.done() and isinstance(event, Error):
                    reply.set_exception(error_of(event.error))
                elif not reply.done():
                    reply.set_result(event)
                return

    def _refused(self, event: Error) -> None:
        error, concerned = error_of(event.error), event.error.event_id or ""
        token = concerned.removesuffix(".item")
        answer = self._asked.get(token)
        if answer is not None:
            answer.fail(error)
            if token == concerned:  # no answer will come; after a refused item one still might
                del self._asked[token]
        elif isinstance(error, Unauthorized):
            self._parting = error  # the server closes after it, and this is why
