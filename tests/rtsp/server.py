"""An RTSP server of our own for tests: loops files and misbehaves on command.

It runs on a thread with an event loop of its own, so that nothing a test does slows it down.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from tests.rtsp.auth import Auth, BasicAuth, DigestAuth
from tests.rtsp.broadcast import Broadcast
from tests.rtsp.connection import Connection
from tests.rtsp.rtp import Clip

__all__ = ["Auth", "BasicAuth", "Clip", "DigestAuth", "RtspServer"]

_PATIENCE_S = 10.0


class RtspServer:
    """Serves clips in real time over TCP and UDP; `async with` or `with`.

    Every method may be called from any thread and returns when it has taken effect.

    Args:
        mounts: name of the mount to the file (H.264 or H.265) or `Clip` that it loops.
        auth: `BasicAuth` or `DigestAuth`; None lets everybody in.
        tls: encrypts, and makes the addresses `rtsps://`.
    """

    def __init__(
        self,
        mounts: Mapping[str, Path | str | Clip],
        auth: Auth | None = None,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._tls = tls
        self.auth = auth
        self.refusal: str | None = None
        self.running: asyncio.Event = asyncio.Event()
        self.running.set()
        self._clips = {name: _clip(what) for name, what in mounts.items()}
        self._broadcasts: dict[str, Broadcast] = {}
        self._connections: dict[Connection, asyncio.Task[None]] = {}
        self._listener: asyncio.Server | None = None
        self._port = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def url(self, mount: str, login: str | None = None) -> str:
        """The address of a mount, with the right user and password unless `login` is given."""
        if login is None:
            auth = self.auth
            login = f"{quote(auth.user, '')}:{quote(auth.password, '')}@" if auth else ""
        scheme = "rtsps" if self._tls else "rtsp"
        return f"{scheme}://{login}127.0.0.1:{self._port}/{mount}"

    @property
    def viewers(self) -> int:
        """Clients that are being sent frames."""
        return sum(len(broadcast.viewers) for broadcast in self._broadcasts.values())

    def freeze(self) -> None:
        """Goes silent: sockets stay open, clients are accepted, nothing is said or sent."""
        self._call(self.running.clear)

    def thaw(self) -> None:
        """Goes on after `freeze`."""
        self._call(self.running.set)

    def kill(self) -> None:
        """Cuts every connection and listens no more, as when a camera loses power."""
        self._run(self._stop_listening())

    def restart(self) -> None:
        """Listens again, on the same port; every mount begins anew."""
        self._run(self._listen())

    def cut(self) -> None:
        """Cuts every connection but goes on listening."""
        self._call(self._abort_all)

    def refuse(self, status: str | None) -> None:
        """Answers every request with a status such as `453 Not Enough Bandwidth`; None stops it."""
        self.refusal = status

    def garbage(self, count: int = 50) -> None:
        """Sends packets full of noise to every viewer."""
        self._call(lambda: [one.garbage(count) for one in self._broadcasts.values()])

    def noise(self, data: bytes) -> None:
        """Writes bytes that are no RTSP to every client."""
        self._call(lambda: [connection.noise(data) for connection in self._connections])

    def jump(self, mount: str, seconds: float) -> None:
        """Moves the clock of a mount, forwards or backwards."""
        broadcast = self._broadcasts[mount]
        self._call(lambda: setattr(broadcast, "jump_s", broadcast.jump_s + seconds))

    def swap(self, mount: str, what: Path | str | Clip) -> None:
        """Plays something else on a mount, in the same connection (another size, say)."""
        broadcast, clip = self._broadcasts[mount], _clip(what)
        self._call(lambda: setattr(broadcast, "clip", clip))

    def withhold_keyframes(self, mount: str) -> None:
        """Sends no keyframes on a mount until `restart`; who joins has nothing to begin with."""
        self._broadcasts[mount].keyframes = False

    def find(self, path: str) -> Broadcast | None:
        """The mount that a path belongs to."""
        return self._broadcasts.get(path.strip("/").split("/")[0])

    def start(self) -> Self:
        """Starts the thread and listens on a free port of 127.0.0.1."""
        ready: Future[None] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._main(ready)), name="rtsp server", daemon=True
        )
        self._thread.start()
        ready.result(_PATIENCE_S)
        return self

    def stop(self) -> None:
        """Ends everything; idempotent."""
        if self._loop is not None and self._thread is not None:
            with contextlib.suppress(RuntimeError):  # ended already
                self._loop.call_soon_threadsafe(self._done.set)
            self._thread.join(_PATIENCE_S)
            self._loop = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)

    async def _main(self, ready: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._done = asyncio.Event()
        try:
            await self._listen()
            ready.set_result(None)
            await self._done.wait()
        except OSError as error:
            ready.set_exception(error)
        finally:
            self.running.set()
            await self._stop_listening()

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(
            self._serve, "127.0.0.1", self._port, reuse_address=True, ssl=self._tls
        )
        self._port = self._listener.sockets[0].getsockname()[1]
        self._broadcasts = {n: Broadcast(c, self.running) for n, c in self._clips.items()}
        self._players = [asyncio.create_task(one.play()) for one in self._broadcasts.values()]

    async def _stop_listening(self) -> None:
        if self._listener is None:
            return
        self._listener.close()
        self._listener = None
        self._abort_all()
        tasks = [*self._players, *self._connections.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _abort_all(self) -> None:
        for connection in tuple(self._connections):
            connection.abort()

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(self, reader, writer)
        task = asyncio.create_task(connection.serve())
        self._connections[connection] = task
        task.add_done_callback(lambda _: self._connections.pop(connection))

    def _call(self, action: Callable[[], Any]) -> None:
        async def act() -> None:
            action()

        self._run(act())

    def _run(self, work: Any) -> None:
        assert self._loop is not None, "the server is not running"
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_S)


def _clip(what: Path | str | Clip) -> Clip:
    return what if isinstance(what, Clip) else Clip(what)
