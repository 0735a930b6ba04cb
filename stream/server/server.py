"""The server: one port for page, websocket, WebRTC and REST, on a house that others built.

It owns no cameras and no model. `Server` wires the parts, listens, and on the way out sends every
conversation home before the web server cuts connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from core.errors import ConfigError
from core.events import ModelInfo
from stream.access.auth import Doorman, KeyRecord, environment_key
from stream.access.desk import Desk
from stream.access.guard import Guard
from stream.cameras.seam import CamerasSeam
from stream.conversations.conversation import Surroundings
from stream.conversations.hub import Hub
from stream.conversations.rules import Rules
from stream.conversations.wire import views
from stream.metrics import Metrics
from stream.server.app import build_app
from stream.server.whip import WhipSessions
from stream.settings import ServerSettings
from stream.sources import Sources

log = logging.getLogger("lookout.server")

ABORT_AFTER_S = 5.0
GRACE_S = 3.0  # of the web server, after all conversations were sent home


class PatientProtocol(WebSocketsSansIOProtocol):
    """uvicorn's websocket, which would wait for a client that reads nothing before closing it.

    Here the close frame is queued at once, and a connection that is not gone soon is cut.
    """

    async def send(self, message: Any) -> None:
        """As the base, but a close never waits."""
        if message["type"] == "websocket.close":
            self.writable.set()
            self.loop.call_later(ABORT_AFTER_S, self.transport.abort)
        await super().send(message)


class Listener(uvicorn.Server):
    """uvicorn's server without its signal handlers, and polite to conversations when it ends."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As the base, and tells that it is up."""
        await super().startup(sockets)
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to whoever runs the process."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say goodbye, then as the base."""
        await self._hub.close("the server is stopping")
        await super().shutdown(sockets)


class Server:
    """Serves cameras and a model to clients.

    Args:
        cameras: open, and open until the server has stopped.
        model: what clients are told about the model.
        settings: where to listen and whom to let in.
        rules: what conversations may do.
        doorman: tells who may come in.
        ready: why no answer can be given now; None if it can.
        engine: the engine's counters, for the metrics.
        sources: makes sources of the URLs that clients bring.
        web: folder of the page; None takes the installed one, if there is one.
    """

    def __init__(
        self,
        cameras: CamerasSeam,
        model: ModelInfo,
        settings: ServerSettings,
        rules: Rules,
        doorman: Doorman,
        *,
        ready: Callable[[], str | None] = lambda: None,
        engine: Callable[[], Mapping[str, int]] = dict,
        sources: Sources | None = None,
        web: Path | None = None,
    ) -> None:
        self._settings = settings
        metrics = Metrics(lambda: views(cameras), engine)
        desk = Desk(
            cameras,
            allowed_targets=settings.allowed_targets,
            loopback_only=doorman.loopback,
            sources=sources,
        )
        self._hub = Hub(
            Surroundings(cameras, desk, model, rules, metrics), limit=settings.max_conversations
        )
        self._whip = WhipSessions(cameras, desk)
        app = build_app(
            cameras=cameras,
            desk=desk,
            hub=self._hub,
            whip=self._whip,
            doorman=doorman,
            metrics=metrics,
            model=model,
            ready=ready,
            web=web or _page(),
        )
        self._guard = Guard(
            app, doorman=doorman, host=settings.host, origins=settings.allowed_origins
        )

    @contextlib.asynccontextmanager
    async def listening(self, sock: socket.socket) -> AsyncIterator[str]:
        """Serve while inside; gives the address. Leaving says goodbye to everybody.

        Args:
            sock: bound; closed in the end.

        Raises:
            ConfigError: if the certificate cannot be used.
        """
        config = self._uvicorn()
        listener = Listener(config, self._hub)
        async with self._whip, asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(listener.serve([sock]), name="http")
            watching = tasks.create_task(self._whip.watch(), name="whip")
            try:
                await listener.up.wait()
                yield self._address(sock)
            finally:
                listener.should_exit = True
                await serving
                watching.cancel()

    def _uvicorn(self) -> uvicorn.Config:
        settings = self._settings
        config = uvicorn.Config(
            self._guard,
            ws=PatientProtocol,
            ws_max_size=settings.max_message_bytes,
            ws_per_message_deflate=False,  # JPEG does not get smaller, only slower
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=round(GRACE_S),
            ssl_certfile=settings.tls_certificate,
            ssl_keyfile=settings.tls_key,
        )
        try:
            config.load()
        except OSError as error:  # includes ssl.SSLError
            raise ConfigError(
                f"server.tls_certificate, server.tls_key: {error.strerror or error}"
            ) from None
        return config

    def _address(self, sock: socket.socket) -> str:
        host, port = self._settings.host, sock.getsockname()[1]
        scheme = "https" if self._settings.tls_certificate else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def keys_of(settings: ServerSettings, environment: Mapping[str, str]) -> list[KeyRecord]:
    """All API keys: of the settings and of the environment."""
    keys = [KeyRecord(k.name, k.sha256.get_secret_value(), k.role) for k in settings.api_keys]
    own = environment_key(environment)
    return [*keys, own] if own else keys


def doorman_of(settings: ServerSettings, environment: Mapping[str, str]) -> Doorman:
    """The doorman that the settings describe.

    Raises:
        ConfigError: if the server would be open to everybody without having been told so.
    """
    keys = keys_of(settings, environment)
    return Doorman(settings.host, keys, allow_anyone=settings.allow_anyone)


def bind(host: str, port: int) -> socket.socket:
    """A socket on that address, not listening yet.

    Raises:
        ConfigError: if the address or the port cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise ConfigError(
            f"cannot listen on {host}:{port}: {(error.strerror or str(error)).lower()}; "
            "choose another with --host and --port"
        ) from None
    return sock


def _page() -> Path | None:
    folder = Path(str(resources.files("client") / "web"))
    return folder if (folder / "index.html").is_file() else None
