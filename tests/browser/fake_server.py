"""A stand-in for the server: the same routes and events, answers spoken from a list of words.

For faults that the real server cannot be brought to on command, and for runs without a model.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

import av
import cv2
import numpy as np
import uvicorn
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.staticfiles import StaticFiles

from client.web import FOLDER
from core.events import Camera, ModelInfo, now, unpack_frame
from worlds.catalog import open_world

POLICY = "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:"
SENTENCE = "A small red circle moves slowly to the right past a blue square that stands still ."
WORDS = SENTENCE.split()


@dataclass
class FakeCamera:
    name: str
    frames: int = 0
    latest: bytes | None = None
    world: Any = None
    began: float = field(default_factory=time.monotonic)

    def take(self, pixels: np.ndarray) -> None:
        self.take_jpeg(cv2.imencode(".jpg", pixels[:, :, ::-1])[1].tobytes())

    def take_jpeg(self, jpeg: bytes) -> None:
        self.latest = jpeg
        self.frames += 1

    def view(self) -> dict[str, Any]:
        camera = Camera(
            name=self.name,
            url="demo:shapes" if self.world else "",
            state="live" if self.frames else "connecting",
            fps=4,
            frames_in=self.frames,
            frames_dropped=0,
            segments=self.frames // 2,
            tokens_encoded=18 * self.frames,
            tokens_kept=9 * self.frames,
            memory_held=min(512, 9 * self.frames),
            memory_capacity=512,
            memory_bytes=6_300_000,
            lag_ms=82.0,
            frame_age_ms=140.0,
            has_truth=self.world is not None,
            at=now(),
        )
        return camera.model_dump(mode="json") | {"frames_remembered": self.frames}


class Server(uvicorn.Server):
    """Leaves the signals to the tests."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class FakeServer:
    """Serves the page on a free port of 127.0.0.1 while its context is open."""

    def __init__(self, port: int = 0, model: ModelInfo | None = None) -> None:
        self.port = port
        self.model = model or ModelInfo(name="embedded", embedded=True)
        self.cameras = {"demo": FakeCamera("demo", world=open_world("shapes"))}
        self.peers: dict[str, RTCPeerConnection] = {}
        self.jpegs = 0
        self._tasks = asyncio.TaskGroup()
        self._background: list[asyncio.Task[None]] = []  # goes on until the server closes

    async def __aenter__(self) -> FakeServer:
        await self._tasks.__aenter__()
        listener = socket.create_server(("127.0.0.1", self.port), reuse_port=False)
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app(),
            log_level="error",
            ws="websockets-sansio",
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        self._server = Server(config)
        self._tasks.create_task(self._server.serve(sockets=[listener]))
        self._spawn(self._draw())
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in self._background:
            task.cancel()
        self._server.should_exit = True
        for peer in self.peers.values():
            await peer.close()
        await self._tasks.__aexit__(None, None, None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._background.append(self._tasks.create_task(work))

    async def _draw(self) -> None:
        camera = self.cameras["demo"]
        while True:
            camera.take(camera.world.frame(time.monotonic() - camera.began))
            await asyncio.sleep(0.25)

    def _app(self) -> FastAPI:
        app = FastAPI()

        @app.middleware("http")
        async def policy(request: Request, call_next: Any) -> Response:
            response: Response = await call_next(request)
            response.headers["Content-Security-Policy"] = POLICY
            return response

        app.add_api_websocket_route("/v1/realtime", self._realtime)
        app.add_api_route("/whip/{name}", self._whip, methods=["POST"])
        app.add_api_route("/whip/{name}", self._unwhip, methods=["DELETE"])
        app.add_api_route("/api/cameras/{name}/snapshot.jpg", self._snapshot)
        app.add_api_route("/api/cameras/{name}/truth", self._truth)
        app.mount("/", StaticFiles(directory=FOLDER, html=True))
        return app

    async def _snapshot(self, name: str) -> Response:
        camera = self.cameras.get(name)
        if camera is None or camera.latest is None:
            return Response(status_code=404)
        return Response(camera.latest, media_type="image/jpeg")

    async def _truth(self, name: str) -> dict[str, Any]:
        camera = self.cameras[name]
        return camera.world.truth(time.monotonic() - camera.began)

    async def _whip(self, name: str, request: Request) -> Response:
        peer = RTCPeerConnection()
        self.peers[name] = peer
        camera = self.cameras.setdefault(name, FakeCamera(name))
        peer.on("track", lambda track: self._spawn(_drain(track, camera)))
        offer = RTCSessionDescription((await request.body()).decode(), "offer")
        await peer.setRemoteDescription(offer)
        await peer.setLocalDescription(await peer.createAnswer())
        headers = {"Location": f"/whip/{name}"}
        return Response(peer.localDescription.sdp, 201, headers, "application/sdp")

    async def _unwhip(self, name: str) -> Response:
        await self.peers.pop(name).close()
        del self.cameras[name]
        return Response(status_code=200)

    async def _realtime(self, client: WebSocket) -> None:
        await client.accept()
        try:
            async with asyncio.TaskGroup() as tasks:
                await _Session(self, client, tasks).run()
        except* (WebSocketDisconnect, _Gone):
            pass


class _Gone(Exception):
    pass


async def _drain(track: Any, camera: FakeCamera) -> None:
    due = 0.0
    with contextlib.suppress(MediaStreamError):
        while True:
            frame: av.VideoFrame = await track.recv()
            if time.monotonic() >= due:
                due = time.monotonic() + 0.25
                camera.take(frame.to_ndarray(format="rgb24"))


class _Session:
    def __init__(self, server: FakeServer, client: WebSocket, tasks: asyncio.TaskGroup) -> None:
        self.server, self.client, self.tasks = server, client, tasks
        self.answers: dict[str, asyncio.Task[None]] = {}
        self.ids = itertools.count(1)

    async def send(self, type_: str, **fields: Any) -> None:
        await self.client.send_json({"type": type_, "event_id": f"e{next(self.ids)}", **fields})

    async def run(self) -> None:
        lookout = {"model": self.server.model.model_dump(), "limits": {"max_question_chars": 4000}}
        await self.send("session.created", session={"id": "s", "lookout": lookout})
        async for event in self._events():
            match event["type"]:
                case "lookout.camera.list":
                    await self.send("lookout.camera.listed", cameras=self._views())
                case "lookout.stats.subscribe":
                    self.tasks.create_task(self._stats(event["interval_ms"] / 1000))
                case "conversation.item.create":
                    await self.send("conversation.item.added", item={"id": "i", **event["item"]})
                case "response.create":
                    name = f"resp_{next(self.ids)}"
                    self.answers[name] = self.tasks.create_task(self._answer(name, event))
                case "response.cancel":
                    self.answers[event["response_id"]].cancel()

    async def _events(self) -> AsyncIterator[dict[str, Any]]:
        while True:
            message = await self.client.receive()
            if message["type"] == "websocket.disconnect":
                raise _Gone
            if message.get("bytes") is not None:
                lookout, jpeg = unpack_frame(message["bytes"])
                camera = self.server.cameras.setdefault(lookout.camera, FakeCamera(lookout.camera))
                camera.take_jpeg(jpeg)
                self.server.jpegs += 1
            else:
                yield json.loads(message["text"])

    def _views(self) -> list[dict[str, Any]]:
        views = [camera.view() for camera in self.server.cameras.values()]
        return [view | {"answering": len(self.answers)} for view in views]

    async def _stats(self, interval: float) -> None:
        while True:
            await self.send("lookout.stats", cameras=self._views())
            await asyncio.sleep(interval)

    async def _answer(self, name: str, event: dict[str, Any]) -> None:
        options = event["response"]
        common = {"id": name, "metadata": options["metadata"]}
        await self.send("response.created", response={**common, "status": "in_progress"})
        camera, status, spoken = options["lookout"]["camera"], "completed", 0
        seen = {"camera": camera, "t_start": 12.0, "t_end": 20.5}
        try:
            for word in WORDS:
                await asyncio.sleep(0.2)
                await self.send("response.output_text.delta", response_id=name, delta=word + " ")
                spoken += 1
        except asyncio.CancelledError:
            status = "cancelled"
            asyncio.current_task().uncancel()  # type: ignore[union-attr]
        await self.send("response.output_text.annotation.added", response_id=name, annotation=seen)
        del self.answers[name]
        timing = {"queue_ms": 1, "ttft_ms": 201, "tokens_per_s": 5.0, "frame_age_ms": 140}
        done = {**common, "status": status, "lookout": {"timing": timing}}
        await self.send("response.done", response={**done, "usage": {"output_tokens": spoken}})
