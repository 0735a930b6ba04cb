"""One client of the test server: requests, replies, and where its packets go."""

from __future__ import annotations

import asyncio
import os
import re
import struct
from dataclasses import dataclass
from typing import Protocol

from tests.rtsp.auth import Auth
from tests.rtsp.broadcast import Broadcast
from tests.rtsp.rtp import RtpSender

_MAX_UNSENT = 4 << 20  # bytes; a viewer that does not read loses packets, not our memory
_METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, TEARDOWN"


class Host(Protocol):
    """What a connection asks its server."""

    auth: Auth | None
    refusal: str | None
    running: asyncio.Event

    def find(self, path: str) -> Broadcast | None:
        """The mount that a path belongs to."""


@dataclass(frozen=True)
class Request:
    """One RTSP request."""

    method: str
    url: str
    headers: dict[str, str]

    @property
    def path(self) -> str:
        """The path of the address, with a leading slash."""
        return "/" + re.sub(r"^rtsps?://[^/]*/?", "", self.url).partition("?")[0]


class Connection:
    """Serves one client until it leaves."""

    def __init__(
        self, host: Host, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._host = host
        self._reader = reader
        self._writer = writer
        self._session = os.urandom(4).hex()
        self._sender: RtpSender | None = None
        self._broadcast: Broadcast | None = None
        self._datagrams: list[asyncio.DatagramTransport] = []

    async def serve(self) -> None:
        """Answers requests; ends with the connection."""
        try:
            while (request := await self._next_request()) is not None:
                await self._host.running.wait()
                if not await self._answer(request):
                    break
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            self._leave()

    def abort(self) -> None:
        """Cuts the connection without a word."""
        self._writer.transport.abort()

    def noise(self, data: bytes) -> None:
        """Writes bytes that are no RTSP into the connection."""
        self._writer.write(data)

    async def _next_request(self) -> Request | None:
        first = await self._reader.readexactly(1)
        while first == b"$":  # the client's RTCP, in between
            _, length = struct.unpack(">BH", await self._reader.readexactly(3))
            await self._reader.readexactly(length)
            first = await self._reader.readexactly(1)
        text = (first + await self._reader.readuntil(b"\r\n\r\n")).decode(errors="replace")
        lines = text.split("\r\n")
        parts = lines[0].split()
        if len(parts) != 3:
            return None
        pairs = (line.split(":", 1) for line in lines[1:] if ":" in line)
        headers = {key.lower(): value.strip() for key, value in pairs}
        await self._reader.readexactly(int(headers.get("content-length", 0)))
        return Request(parts[0], parts[1], headers)

    async def _answer(self, request: Request) -> bool:
        """Replies; False when the client is to go."""
        if request.method == "OPTIONS":
            self._reply(request, "200 OK", f"Public: {_METHODS}\r\n")
        elif self._host.refusal is not None:
            self._reply(request, self._host.refusal)
        elif not self._allowed(request):
            self._reply(request, "401 Unauthorized", f"WWW-Authenticate: {self._challenge()}\r\n")
        elif (broadcast := self._host.find(request.path)) is None:
            self._reply(request, "404 Not Found")
        elif request.method == "DESCRIBE":
            base = f"Content-Type: application/sdp\r\nContent-Base: {request.url.rstrip('/')}/\r\n"
            self._reply(request, "200 OK", base, broadcast.clip.description())
        elif request.method == "SETUP":
            await self._set_up(request)
        elif request.method == "PLAY" and self._sender is not None:
            self._reply(request, "200 OK", f"Session: {self._session}\r\nRange: npt=now-\r\n")
            self._broadcast = broadcast
            broadcast.viewers.add(self._sender)
        elif request.method == "TEARDOWN":
            self._reply(request, "200 OK")
            return False
        else:
            self._reply(request, "200 OK", f"Session: {self._session}\r\n")
        return True

    def _allowed(self, request: Request) -> bool:
        auth = self._host.auth
        credentials = request.headers.get("authorization", "")
        return auth is None or auth.accepts(request.method, credentials)

    def _challenge(self) -> str:
        return self._host.auth.challenge() if self._host.auth else ""

    def _reply(self, request: Request, status: str, headers: str = "", body: str = "") -> None:
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        sequence = request.headers.get("cseq", "0")
        text = f"RTSP/1.0 {status}\r\nCSeq: {sequence}\r\n{headers}{length}\r\n{body}"
        self._writer.write(text.encode())

    async def _set_up(self, request: Request) -> None:
        wanted = request.headers.get("transport", "")
        if "/TCP" in wanted:
            self._sender = RtpSender(
                lambda p: self._interleave(0, p), lambda p: self._interleave(1, p)
            )
            transport = "RTP/AVP/TCP;unicast;interleaved=0-1"
        else:
            ports = re.search(r"client_port=(\d+)-(\d+)", wanted)
            if ports is None:
                self._reply(request, "461 Unsupported Transport")
                return
            ours = [await self._datagram_to(int(port)) for port in ports.groups()]
            self._sender = RtpSender(*(transport.sendto for transport in self._datagrams))
            transport = (
                f"RTP/AVP;unicast;client_port={ports[1]}-{ports[2]};server_port={ours[0]}-{ours[1]}"
            )
        self._reply(
            request, "200 OK", f"Transport: {transport}\r\nSession: {self._session};timeout=60\r\n"
        )

    def _interleave(self, channel: int, packet: bytes) -> None:
        if self._writer.transport.get_write_buffer_size() < _MAX_UNSENT:
            self._writer.write(b"$" + struct.pack(">BH", channel, len(packet)) + packet)

    async def _datagram_to(self, port: int) -> int:
        """Opens a socket towards the client's port; our own port."""
        address = self._writer.get_extra_info("peername")[0]
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0), remote_addr=(address, port)
        )
        self._datagrams.append(transport)
        return int(transport.get_extra_info("sockname")[1])

    def _leave(self) -> None:
        if self._broadcast is not None and self._sender is not None:
            self._broadcast.viewers.discard(self._sender)
        for transport in self._datagrams:
            transport.close()
        self._writer.close()
