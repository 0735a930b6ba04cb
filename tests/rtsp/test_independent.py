"""The same against a server that we did not write: gst-rtsp-server from Debian."""

from __future__ import annotations

from itertools import pairwise

import pytest

from core.errors import SourceUnavailable
from stream.sources import open_source
from stream.sources.feed import CameraState
from tests.rtsp.test_recovery import watching
from tests.stream.sources.reading import read
from tests.waiting import eventually

pytestmark = pytest.mark.real


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("mount", ["h264", "h265"])
async def test_frames_arrive_and_move(gst_server, mount: str, transport: str) -> None:
    server = gst_server()
    frames = await read(open_source(f"{server.url(mount)}?transport={transport}"), 8, fps=5)
    assert all(0 < after.pts - before.pts < 1.0 for before, after in pairwise(frames))
    assert all(frame.pixels.shape == (180, 320, 3) for frame in frames)
    assert any((before.pixels != after.pixels).any() for before, after in pairwise(frames))


@pytest.mark.parametrize("method", ["basic", "digest"])
async def test_the_right_password_opens_and_the_wrong_one_is_auth(gst_server, method: str) -> None:
    server = gst_server("0", "admin", "p@ss:w", method)
    assert len(await read(open_source(server.url("h264", "admin:p@ss:w@")), 2, fps=5)) == 2
    for login in ("admin:wrong@", ""):
        with pytest.raises(SourceUnavailable) as caught:
            await read(open_source(server.url("h264", login)), 1)
        assert caught.value.reason == "auth"


async def test_a_wrong_path_is_not_found(gst_server) -> None:
    with pytest.raises(SourceUnavailable) as caught:
        await read(open_source(gst_server().url("nothing")), 1)
    assert caught.value.reason == "not_found"


async def test_a_killed_server_that_comes_back_is_live_again(gst_server) -> None:
    server = gst_server()
    async with watching(server.url("h264")) as watched:
        server.kill()
        await eventually(lambda: watched.feed.status.reason == "refused", within_s=30)
        gst_server(str(server.port))
        await watched.reaches(CameraState.LIVE)
        await watched.more()
        assert watched.feed.status.reconnects == 1
