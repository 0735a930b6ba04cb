"""A real server on a free port, with fake cameras, and a real websocket client that keeps notes."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from core.events import SERVER_EVENT, ModelInfo
from stream.conversations.rules import Rules
from stream.server.server import Server, bind, doorman_of
from stream.settings import ServerSettings
from stream.sources import Sources
from tests.fakes.cameras import FakeCameras

PATIENCE_S = 10.0
Event = dict[str, Any]


@dataclass(frozen=True)
class House:
    url: str
    cameras: FakeCameras

    @property
    def websocket(self) -> str:
        return self.url.replace("http", "ws", 1) + "/v1/realtime"


@contextlib.asynccontextmanager
async def house(
    *names: str,
    rules: Rules | None = None,
    environment: Mapping[str, str] | None = None,
    limit: int = 8,
    port: int = 0,
    sources: Sources | None = None,
    **settings: Any,
) -> AsyncIterator[House]:
    """A server that listens on loopback; without a port, on any free one."""
    async with FakeCameras(*names, limit=limit) as cameras:
        chosen = ServerSettings(**settings)
        doorman = doorman_of(chosen, environment or {})
        told = rules or Rules()
        server = Server(cameras, ModelInfo(name="fake"), chosen, told, doorman, sources=sources)
        with bind(chosen.host, port) as sock:
            async with server.listening(sock) as url:
                yield House(url, cameras)


@dataclass
class Client:
    """One websocket; every event received is checked against the protocol and kept."""

    socket: ClientConnection
    events: list[Event] = field(default_factory=list)

    async def send(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def ask(self, text: str, **lookout: Any) -> None:
        await self.say(text)
        await self.send("response.create", response={"lookout": lookout})

    async def say(self, text: str, **fields: Any) -> None:
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        await self.send("conversation.item.create", item=item, **fields)

    async def receive(self) -> Event:
        async with asyncio.timeout(PATIENCE_S):
            event: Event = json.loads(await self.socket.recv())
        SERVER_EVENT.validate_python(event)
        assert event["event_id"]
        assert event["lookout"]["seq"] == len(self.events) + 1
        self.events.append(event)
        return event

    async def until(self, kind: str, **fields: Any) -> Event:
        """The next event of this type whose top-level fields are these."""
        while True:
            event = await self.receive()
            if event["type"] == kind and all(event.get(k) == v for k, v in fields.items()):
                return event

    async def error(self) -> Event:
        error: Event = (await self.until("error"))["error"]
        return error

    async def done(self) -> Event:
        response: Event = (await self.until("response.done"))["response"]
        return response

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["type"] == kind]

    def text(self, response_id: str) -> str:
        return "".join(
            event["delta"]
            for event in self.of("response.output_text.delta")
            if event["response_id"] == response_id
        )


@contextlib.asynccontextmanager
async def client(
    house: House,
    *,
    headers: Mapping[str, str] | None = None,
    subprotocols: Sequence[str] = (),
    **options: Any,
) -> AsyncIterator[Client]:
    """Connects, without compression and without any limit of its own."""
    async with connect(
        house.websocket,
        additional_headers=headers,
        subprotocols=list(subprotocols) or None,
        compression=None,
        max_size=None,
        proxy=None,
        **options,
    ) as socket:
        yield Client(socket)
