"""A feed on a real camera that freezes, dies, comes back and lies about the time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from core.frames import Frame
from stream.sources import open_source
from stream.sources.av_reader import Timeouts
from stream.sources.backoff import Backoff
from stream.sources.feed import CameraState, Feed
from tests.rtsp.server import DigestAuth, RtspServer
from tests.stream.scripted import Journal
from tests.stream.sources.reading import counters
from tests.waiting import eventually

LIVE, STALLED = CameraState.LIVE, CameraState.STALLED
RETRYING, OFFLINE = CameraState.RETRYING, CameraState.OFFLINE


class Watched:
    """A running feed on a mount, all its frames, and what it said."""

    def __init__(self, url: str, *, read_s: float = 30.0, restart_after_s: float = 30.0) -> None:
        self.journal = Journal()
        self.frames: list[Frame] = []
        timeouts = Timeouts(open_s=10.0, read_s=read_s)
        self.feed = Feed(
            lambda: open_source(url, timeouts=timeouts),
            fps=10,
            stall_after_s=1.5,
            restart_after_s=restart_after_s,
            backoff=Backoff((0.2,), (0.2,), jitter=0),
            on_change=self.journal,
        )

    async def collect(self) -> None:
        while True:
            self.frames += await self.feed.take(8)

    async def reaches(self, state: CameraState) -> None:
        await eventually(
            lambda: self.feed.status.state is state, within_s=40, what=f"the state {state}"
        )

    async def more(self, count: int = 5) -> None:
        wanted = len(self.frames) + count
        await eventually(lambda: len(self.frames) >= wanted, within_s=40, what="more frames")

    def check(self) -> None:
        """What holds after every kind of trouble."""
        assert all(before.pts < after.pts for before, after in pairwise(self.frames))
        assert all(before.arrived <= after.arrived for before, after in pairwise(self.frames))
        took = self.frames[-1].arrived - self.frames[0].arrived
        lead = self.frames[-1].pts - self.frames[0].pts - took
        assert -5 < lead < 3.5  # what was collected while probing comes at once, but once only


@asynccontextmanager
async def watching(url: str, **options: float) -> AsyncIterator[Watched]:
    watched = Watched(url, **options)
    running = asyncio.create_task(watched.feed.run())
    collecting = asyncio.create_task(watched.collect())
    try:
        await watched.reaches(LIVE)
        await watched.more()
        yield watched
        watched.check()
    finally:
        for task in (collecting, running):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_short_freeze_is_stalled_and_then_live_without_reconnecting(clips) -> None:
    async with RtspServer(clips) as server, watching(server.url("h264")) as watched:
        server.freeze()
        await watched.reaches(STALLED)
        server.thaw()
        await watched.reaches(LIVE)
        await watched.more()
        assert watched.journal.states == [LIVE, STALLED, LIVE]
        assert watched.feed.status.reconnects == 0


@pytest.mark.parametrize("mount", ["h264", "h265"])
async def test_a_long_freeze_is_reopened_and_live_when_it_thaws(clips, mount: str) -> None:
    async with (
        RtspServer(clips, DigestAuth("me", "secret")) as server,
        watching(server.url(mount), restart_after_s=2.5) as watched,
    ):
        server.freeze()
        await watched.reaches(STALLED)
        await watched.reaches(RETRYING)
        server.thaw()
        await watched.reaches(LIVE)
        await watched.more()
        assert watched.journal.states[:4] == [LIVE, STALLED, RETRYING, LIVE]
        assert watched.feed.status.reconnects == 1


async def test_a_frozen_thread_is_left_behind_and_ends_by_itself(clips) -> None:
    async with (
        RtspServer(clips) as server,
        watching(server.url("h264"), restart_after_s=2.5, read_s=4.0) as watched,
    ):
        server.freeze()
        await watched.reaches(RETRYING)
        server.kill()
        server.thaw()
        server.restart()
        await watched.reaches(LIVE)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_a_camera_without_power_is_retried_until_it_is_back(clips, transport: str) -> None:
    async with (
        RtspServer(clips) as server,
        watching(f"{server.url('h264')}?transport={transport}") as watched,
    ):
        for round_ in (1, 2):
            server.kill()
            await watched.reaches(RETRYING)
            await eventually(lambda: watched.feed.status.reason == "refused")
            server.restart()
            await watched.reaches(LIVE)
            await watched.more()
            assert watched.feed.status.reconnects == round_
        shown = counters(watched.frames)
        assert None not in shown
        assert watched.journal.has_passed(LIVE, RETRYING, LIVE, RETRYING, LIVE)


async def test_a_cut_connection_is_made_again(clips) -> None:
    async with RtspServer(clips) as server, watching(server.url("h264")) as watched:
        server.cut()
        await watched.reaches(RETRYING)
        await watched.reaches(LIVE)
        await watched.more()


async def test_a_camera_that_changes_its_password_says_auth_and_comes_back(clips) -> None:
    async with (
        RtspServer(clips, DigestAuth("me", "old")) as server,
        watching(server.url("h264")) as watched,
    ):
        server.auth, right = DigestAuth("me", "new"), server.auth
        server.cut()
        await eventually(lambda: watched.feed.status.reason == "auth", within_s=30)
        server.auth = right
        await watched.reaches(LIVE)
        await watched.more()


@pytest.mark.parametrize("seconds", [-1000.0, -3.0, 3600.0])
async def test_a_clock_that_jumps_does_not_disturb(clips, seconds: float) -> None:
    async with RtspServer(clips) as server, watching(server.url("h264")) as watched:
        server.jump("h264", seconds)
        await watched.more(20)


async def test_garbage_on_the_wire_is_survived(clips) -> None:
    async with RtspServer(clips) as server, watching(server.url("h264")) as watched:
        for seed in range(4):
            server.garbage(20 + seed)
            server.noise(bytes(range(256)) * 8)
            await watched.more()
        await watched.reaches(LIVE)


async def test_refusals_are_named_and_retried(clips) -> None:
    async with RtspServer(clips) as server, watching(server.url("h264")) as watched:
        server.refuse("453 Not Enough Bandwidth")
        server.cut()
        await eventually(lambda: watched.feed.status.reason == "refused", within_s=30)
        server.refuse("404 Not Found")
        await eventually(lambda: watched.feed.status.reason == "not_found", within_s=30)
        server.refuse(None)
        await watched.reaches(LIVE)
        await watched.more()
