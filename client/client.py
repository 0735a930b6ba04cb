"""Ask a running Lookout from Python; needs no torch and no server code.

async with Lookout("ws://127.0.0.1:8080") as lookout:
    async for delta in lookout.ask("porch", "What happened in the last two minutes?"):
        print(delta, end="")
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import uuid
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlsplit, urlunsplit

from pydantic import ValidationError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from client.answer import Answer
from client.router import EventStream, Router
from core.errors import ConfigError, ConnectionLost
from core.events import (
    AnyServerEvent,
    Camera,
    CameraList,
    CameraListed,
    ClientEvent,
    EventsQuery,
    EventsResult,
    InputText,
    Item,
    ItemCreate,
    ResponseCancel,
    ResponseCreate,
    ResponseLookoutOptions,
    ResponseOptions,
    Session,
    SessionCreated,
    TimelineEvent,
    pack_frame,
)

Reply = TypeVar("Reply", bound=AnyServerEvent)


class Lookout:
    """A connection to a running server. Use as an async context manager.

    Args:
        url: of the server: ws://, wss://, http:// or https://, with or without `/v1/realtime`.
        key: an API key, where the server wants one.
        patience_s: for connecting, and for replies that are not answers.
    """

    def __init__(
        self,
        url: str = "ws://127.0.0.1:8080",
        *,
        key: str | None = None,
        patience_s: float = 10.0,
    ) -> None:
        self._url = websocket_url(url)
        self._key = key
        self._patience_s = patience_s
        self._router = Router()
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._session: Session | None = None

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            ConnectionLost: if nobody answers, or somebody who is no Lookout.
            Unauthorized: if the server wants a key, or another one.
        """
        self._socket = await self._connect()
        greeting = self._router.expect(SessionCreated)
        self._reader = asyncio.create_task(self._read(self._socket), name="lookout client")
        try:
            self._session = (await self._within(greeting)).session
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def session(self) -> Session:
        """What the server said about itself when we came."""
        if self._session is None:
            raise ConnectionLost("not connected: use `async with Lookout(...)`")
        return self._session

    @property
    def events(self) -> EventStream:
        """Every event from now on, as an async iterator; one that lags loses the oldest."""
        return self._router.stream()

    def ask(
        self,
        camera: str,
        question: str,
        *,
        instructions: str | None = None,
        max_tokens: int | None = None,
    ) -> Answer:
        """Ask; iterate over the answer for its words as they come.

        Args:
            camera: which to ask.
            question: in words.
            instructions: how to answer, instead of the server's default.
            max_tokens: length of the answer at most; the server has a limit of its own.
        """
        token = uuid.uuid4().hex
        item = Item(role="user", content=(InputText(text=question),))
        options = ResponseOptions(
            instructions=instructions,
            max_output_tokens=max_tokens,
            metadata=self._router.mark(token),
            lookout=ResponseLookoutOptions(camera=camera),
        )
        events: list[ClientEvent] = [
            ItemCreate(event_id=f"{token}.item", item=item),
            ResponseCreate(event_id=token, response=options),
        ]
        answer = Answer(events, self.send)
        self._router.asked(token, answer)
        return answer

    async def cancel(self) -> None:
        """Stop all answers of this connection."""
        await self.send(ResponseCancel())

    async def cameras(self) -> tuple[Camera, ...]:
        """All cameras with their numbers."""
        listed = self._router.expect(CameraListed)
        await self.send(CameraList())
        return (await self._within(listed)).cameras

    async def history(
        self,
        camera: str | None = None,
        *,
        search: str = "",
        since: datetime | None = None,
        limit: int = 100,
    ) -> tuple[TimelineEvent, ...]:
        """What was written down about cameras, the newest entries, oldest first.

        Args:
            camera: of this one only.
            search: with these words only, in any case.
            since: that ended since then; with its zone.
            limit: entries at most, 1 to 1000.

        Raises:
            CameraNotFound: if there is none of this name.
            ConfigError: if that is no name, the words are too long, `since` has no zone or `limit`
                is out of range.
            ConnectionLost: if the connection is gone.
        """
        token = uuid.uuid4().hex
        try:
            query = EventsQuery(
                event_id=token, camera=camera, search=search, since=since, limit=limit
            )
        except ValidationError as error:
            raise ConfigError(_wrong(error)) from None
        result = self._router.expect(EventsResult, token)
        await self.send(query)
        return (await self._within(result)).events

    async def push(self, camera: str, jpeg: bytes, captured_at: datetime | None = None) -> None:
        """Send one frame; the first one makes this connection a camera of that name.

        What the server refuses comes as an `error` among `events`.
        """
        await self._write(pack_frame(camera, jpeg, captured_at))

    async def send(self, event: ClientEvent) -> None:
        """Send any event of the protocol; what comes back is among `events`.

        Raises:
            ConnectionLost: if the connection is gone.
        """
        await self._write(event.model_dump_json(exclude_none=True))

    async def close(self) -> None:
        """Leave. Idempotent; answers that are not over end with `ConnectionLost`."""
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            await asyncio.wait([self._reader])

    async def _connect(self) -> ClientConnection:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else None
        try:
            return await connect(
                self._url,
                additional_headers=headers,
                compression=None,  # frames are JPEG: they do not get smaller, only slower
                max_size=None,
                open_timeout=self._patience_s,
                proxy=None if _is_loopback(self._url) else True,
            )
        except (OSError, InvalidHandshake, InvalidURI) as error:
            bad = isinstance(error, InvalidURI)  # its text repeats the address, password and all
            what = "no websocket address" if bad else str(error) or "nobody answers"
            raise ConnectionLost(
                f"no Lookout at {_shown(self._url)} ({what}); start one with `lookout serve`"
            ) from None

    async def _write(self, message: str | bytes) -> None:
        if self._socket is None:
            raise ConnectionLost("not connected: use `async with Lookout(...)`")
        try:
            await self._socket.send(message)
        except ConnectionClosed:
            raise self._router.lost or ConnectionLost("the connection is closed") from None

    async def _read(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed, ConnectionLost):  # lost: while cancelling
            async for message in socket:
                self._router.receive(message)
                for answer in self._router.unwanted():
                    await answer.cancel()
        code, reason = socket.close_code, socket.close_reason
        text = f"the server closed the connection ({code}{f': {reason}' if reason else ''})"
        self._router.end(ConnectionLost(text))

    async def _within(self, reply: asyncio.Future[Reply]) -> Reply:
        try:
            async with asyncio.timeout(self._patience_s):
                return await reply
        except TimeoutError:
            raise ConnectionLost(
                f"{_shown(self._url)} says nothing for {self._patience_s} s"
            ) from None


def _wrong(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def websocket_url(url: str) -> str:
    """The websocket's address of a server given by any of its addresses.

    Raises:
        ConfigError: if it cannot be read as one.
    """
    try:
        parts = urlsplit(url if "://" in url else f"ws://{url}")
        _ = parts.port  # is read, and refused, only when asked for
    except ValueError:  # its text may repeat the address, password and all
        raise ConfigError(
            "the server's address cannot be read: write http://HOST:PORT, with a port of 65535 at "
            "most and an IPv6 address as [::1]"
        ) from None
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    path = parts.path.rstrip("/")
    if not path.endswith("/v1/realtime"):
        path += "/v1/realtime"
    return urlunsplit((scheme, parts.netloc, path, "", ""))


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _shown(url: str) -> str:
    """The address without user and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
