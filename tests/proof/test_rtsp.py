"""A live RTSP camera behind the real server: asked mid-stream, frozen, killed, and back again."""

from __future__ import annotations

import pytest

from client import Lookout
from tests.proof.serving import serving
from tests.proof.watching import ask, measure
from tests.rtsp.media import write_counter_video
from tests.rtsp.server import BasicAuth, Clip, DigestAuth, RtspServer

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> dict[str, Clip]:
    folder = tmp_path_factory.mktemp("clips")
    return {c: Clip(write_counter_video(folder / f"{c}.mp4", c)) for c in ("h264", "h265")}


@pytest.mark.parametrize(
    ("codec", "transport", "auth"),
    [("h264", "tcp", DigestAuth("admin", "p@ss:w")), ("h265", "udp", BasicAuth("admin", "p@ss:w"))],
    ids=["h264-tcp-digest", "h265-udp-basic"],
)
async def test_our_own_server_asked_frozen_killed_and_back(tmp_path, clips, codec, transport, auth):
    with RtspServer({"cam": clips[codec]}, auth) as camera:
        url = f"{camera.url('cam')}?transport={transport}"
        async with serving(tmp_path, "--source", f"cam={url}") as served:
            await served.until("cam", lambda v: v["state"] == "live" and v["frames_remembered"])
            figures = await measure(served, "cam", f"rtsp-own-{codec}-{transport}")
            assert figures.values["frames_dropped"] == 0
            assert figures.values["ratio"] >= 0.95
            async with Lookout(served.websocket) as lookout:
                await asked_twice(lookout, served)
                before = served.camera("cam")
                camera.freeze()
                await served.until("cam", lambda v: v["state"] in ("stalled", "retrying"))
                text, _ = await ask(lookout, "cam", "What do you see?")
                assert " s old" in text, "an answer from old frames must say so"
                camera.thaw()
                await back(served, before)
                before = served.camera("cam")
                camera.kill()
                await served.until("cam", lambda v: v["state"] == "retrying")
                camera.restart()
                await back(served, before)
                await asked_twice(lookout, served)
            assert "p@ss" not in served.log.read_text()
            assert "p%40ss" not in served.log.read_text()
            assert "p@ss" not in str(served.camera("cam"))


async def test_an_independent_server_asked_killed_and_back(tmp_path, gst_server):
    camera = gst_server()
    async with serving(tmp_path, "--source", f"cam={camera.url('h264')}") as served:
        await served.until("cam", lambda v: v["state"] == "live" and v["frames_remembered"])
        figures = await measure(served, "cam", "rtsp-gstreamer-h264-tcp")
        assert figures.values["frames_dropped"] == 0
        assert figures.values["ratio"] >= 0.95
        async with Lookout(served.websocket) as lookout:
            await asked_twice(lookout, served)
            before = served.camera("cam")
            camera.kill()
            await served.until("cam", lambda v: v["state"] == "retrying")
            gst_server(str(camera.port))
            await back(served, before)
            await asked_twice(lookout, served)


async def asked_twice(lookout: Lookout, served) -> None:
    """Two answers mid-stream; frames go on entering memory."""
    count = served.camera("cam")["frames_remembered"]
    for question in ("What do you see?", "How many objects are there?"):
        text, response = await ask(lookout, "cam", question)
        assert text
        assert response.status == "completed"
    await served.until("cam", lambda v: v["frames_remembered"] > count)


async def back(served, before) -> None:
    """Live again without a restart, and nothing that was remembered is lost."""
    view = await served.until(
        "cam",
        lambda v: v["state"] == "live" and v["frames_remembered"] > before["frames_remembered"] + 4,
    )
    assert view["memory_seen"] > before["memory_seen"], "the same memory, going on"
    assert view["memory_held"] >= min(before["memory_held"], view["memory_capacity"] // 2)
    assert view["newest"]["pts_ms"] > before["newest"]["pts_ms"], "media time never runs backwards"
