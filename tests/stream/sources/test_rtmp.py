"""RTMP from a real sender: ffmpeg as a server for one viewer."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from stream.sources import open_source
from stream.sources.backoff import Backoff
from stream.sources.feed import Feed
from tests.needs import need
from tests.rtsp.media import write_counter_video
from tests.stream.sources.reading import counters

pytestmark = pytest.mark.real


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def rtmp(tmp_path: Path):
    """The address of a live stream; it begins to listen some time after the test has begun."""
    ffmpeg = shutil.which("ffmpeg")
    need(ffmpeg is not None, "ffmpeg")
    film = write_counter_video(tmp_path / "film.mp4", seconds=20)
    url = f"rtmp://127.0.0.1:{free_port()}/live/x"
    command = [ffmpeg, "-loglevel", "quiet", "-re", "-i", str(film), "-c", "copy", "-f", "flv"]
    sender = subprocess.Popen([*command, "-listen", "1", url], stdin=subprocess.DEVNULL)
    yield url
    sender.kill()
    sender.wait(10)


async def test_a_stream_over_rtmp_is_read_in_order(rtmp: str) -> None:
    feed = Feed(lambda: open_source(rtmp), fps=10, backoff=Backoff((0.2,), jitter=0))
    running = asyncio.create_task(feed.run())
    frames = []
    async with asyncio.timeout(40):
        while len(frames) < 12:
            frames += await feed.take(12)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    shown = counters(frames)
    assert None not in shown
    for (before, first), (after, second) in pairwise(zip(shown, frames, strict=True)):
        assert second.pts - first.pts == pytest.approx((after - before) / 25, abs=0.045)
    assert feed.status.codec == "h264"
