"""WebRTC in, with a real aiortc peer as the sender."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import av
import httpx
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack

from core.errors import CapacityExceeded
from stream.access.desk import Desk
from stream.server.whip import WhipSessions
from stream.sources.push import PushSource
from stream.sources.sampler import Sampler
from tests.fakes.cameras import FakeCamera, FakeCameras
from tests.fakes.house import House, client, house
from tests.waiting import eventually

SDP = {"content-type": "application/sdp"}


class Still(VideoStreamTrack):
    """The same red picture, 30 times a second."""

    async def recv(self) -> av.VideoFrame:
        pixels = np.zeros((240, 320, 3), np.uint8)
        pixels[..., 0] = 200
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts, frame.time_base = await self.next_timestamp()
        return frame


@contextlib.asynccontextmanager
async def sender() -> AsyncIterator[RTCPeerConnection]:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.addTrack(Still())
    try:
        await peer.setLocalDescription(await peer.createOffer())
        yield peer
    finally:
        await peer.close()


async def publish(web: httpx.AsyncClient, peer: RTCPeerConnection, camera: str) -> str:
    reply = await web.post(f"/whip/{camera}", content=peer.localDescription.sdp, headers=SDP)
    assert reply.status_code == 201, reply.text
    assert reply.headers["content-type"].startswith("application/sdp")
    await peer.setRemoteDescription(RTCSessionDescription(reply.text, "answer"))
    return str(reply.headers["location"])


async def first_frame(camera: FakeCamera) -> np.ndarray:  # type: ignore[type-arg]
    assert camera.source is not None
    async with asyncio.timeout(20):
        await camera.source.open(Sampler(10.0))
        return (await camera.source.recv()).pixels


@contextlib.asynccontextmanager
async def served() -> AsyncIterator[tuple[House, httpx.AsyncClient]]:
    async with house() as there, httpx.AsyncClient(base_url=there.url, timeout=30) as web:
        yield there, web


@pytest.mark.real
async def test_one_post_makes_a_camera_that_shows_the_senders_picture() -> None:
    async with served() as (there, web), sender() as peer:
        location = await publish(web, peer, "phone")
        assert location.startswith("/whip/phone/")
        pixels = await first_frame(there.cameras["phone"])
        assert pixels.shape == (240, 320, 3)
        assert abs(pixels[..., 0].mean() - 200) < 12
        assert pixels[..., 2].mean() < 30
        async with client(there) as me:
            assert (await web.delete(location)).status_code == 200
            await me.until("lookout.camera.detached", camera="phone")
        assert there.cameras.names() == []
        assert (await web.delete(location)).status_code == 404


@pytest.mark.real
async def test_a_sender_that_vanishes_takes_its_camera_with_it() -> None:
    async with served() as (there, web), sender() as peer:
        await publish(web, peer, "phone")
        await first_frame(there.cameras["phone"])
        await peer.close()
        await eventually(lambda: not there.cameras.names(), within_s=45)


@pytest.mark.real
async def test_a_name_can_be_used_once_at_a_time_and_a_guessed_session_ends_nothing() -> None:
    async with served() as (there, web), sender() as peer, sender() as second:
        await publish(web, peer, "phone")
        again = await web.post("/whip/phone", content=second.localDescription.sdp, headers=SDP)
        assert (again.status_code, again.json()["error"]["code"]) == (409, "camera_exists")
        assert (await web.delete("/whip/phone/guessed")).status_code == 404
        assert there.cameras.names() == ["phone"]
        assert (await web.delete("/whip/phone")).status_code == 200  # an admin may
        assert there.cameras.names() == []


class Gone:
    """A receiver whose sender has vanished; taking it down lasts until it is let go."""

    def __init__(self, label: str, let_go: asyncio.Event) -> None:
        self.source = PushSource(label)
        self.state = "failed"
        self.closing = asyncio.Event()
        self._let_go = let_go

    async def accept(self, offer_sdp: str) -> str:
        return "answer"

    async def close(self) -> None:
        self.closing.set()
        await self._let_go.wait()


@contextlib.asynccontextmanager
async def vanishing() -> AsyncIterator[tuple[FakeCameras, WhipSessions, list[Gone], asyncio.Event]]:
    let_go, made = asyncio.Event(), list[Gone]()

    def receive(label: str) -> Gone:
        made.append(Gone(label, let_go))
        return made[-1]

    async with FakeCameras() as cameras:
        yield cameras, WhipSessions(cameras, Desk(cameras), receive=receive), made, let_go


async def test_a_sender_that_is_deleted_while_another_is_being_removed_ends_nothing_else() -> None:
    async with vanishing() as (cameras, sessions, made, let_go), asyncio.TaskGroup() as tasks:
        await sessions.open("one", "offer")
        two, _ = await sessions.open("two", "offer")
        watching = tasks.create_task(sessions.watch())
        async with asyncio.timeout(10):
            await made[0].closing.wait()  # its turn; the other is next
        deleting = tasks.create_task(sessions.close(two, "two"))
        await eventually(made[1].closing.is_set)
        let_go.set()
        await deleting
        await sessions.open("three", "offer")
        await eventually(lambda: cameras.names() == [])  # it goes on watching
        watching.cancel()


async def test_senders_that_are_still_being_let_in_count_as_well() -> None:
    entering = asyncio.Event()

    class Slow(Gone):
        async def accept(self, offer_sdp: str) -> str:
            await entering.wait()
            return "answer"

    async with FakeCameras() as cameras, asyncio.TaskGroup() as tasks:
        made: list[Slow] = []

        def receive(label: str) -> Slow:
            made.append(Slow(label, entering))
            return made[-1]

        sessions = WhipSessions(cameras, Desk(cameras), receive=receive, limit=1)
        first = tasks.create_task(sessions.open("one", "offer"))
        await eventually(lambda: made)
        with pytest.raises(CapacityExceeded):
            await sessions.open("two", "offer")
        entering.set()
        await first


async def test_a_sender_that_cannot_be_taken_down_does_not_end_the_watch() -> None:
    class Stuck(Gone):
        async def close(self) -> None:
            raise RuntimeError("broken")

    def receive(label: str) -> Gone:
        return Stuck(label, asyncio.Event())

    async with FakeCameras() as cameras, asyncio.TaskGroup() as tasks:
        sessions = WhipSessions(cameras, Desk(cameras), receive=receive)
        watching = tasks.create_task(sessions.watch())
        for name in ("one", "two"):
            await sessions.open(name, "offer")
            await eventually(lambda: cameras.names() == [])
        watching.cancel()


async def test_a_sender_that_has_gone_leaves_alone_who_has_its_name_now() -> None:
    async with vanishing() as (cameras, sessions, _made, let_go):
        let_go.set()
        session, _ = await sessions.open("porch", "offer")
        await cameras.detach("porch")  # by an admin, who gives the name to another camera
        await cameras.attach("porch", PushSource, url="push:")
        await sessions.close(session, "porch")
        assert cameras.names() == ["porch"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "application/sdp"),
        (b"v=0 nonsense", "application/sdp"),
        (b"\xff\xfe", "application/sdp"),
        (b"v=0" * 40_000, "application/sdp"),
        (b"v=0", "application/json"),
    ],
)
async def test_what_is_no_offer_is_refused_and_attaches_nothing(content: bytes, kind: str) -> None:
    async with served() as (there, web):
        reply = await web.post("/whip/phone", content=content, headers={"content-type": kind})
        assert reply.status_code == 400, reply.text
        assert there.cameras.names() == []


async def test_trickling_is_refused_as_the_standard_wants() -> None:
    async with served() as (_, web):
        assert (await web.patch("/whip/phone/session", content="")).status_code == 405
