"""One connection to an RTSP server: what comes through, and what each refusal is called."""

from __future__ import annotations

import asyncio
import logging
import time
from itertools import pairwise

import pytest

from core.errors import SourceUnavailable
from stream.sources import Source, open_source
from stream.sources.av_reader import Timeouts
from stream.sources.sampler import Sampler
from tests.rtsp.media import write_counter_video
from tests.rtsp.server import Auth, BasicAuth, Clip, DigestAuth, RtspServer
from tests.stream.sources.reading import counters, read

PASSWORD = "p@ss:w/rd?#%41"
AUTHS = [None, BasicAuth("admin", PASSWORD), DigestAuth("admin", PASSWORD)]
IMPATIENT = Timeouts(open_s=1.5, read_s=1.5, keyframe_s=1.0)


@pytest.mark.parametrize("auth", AUTHS, ids=["open", "basic", "digest"])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("mount", ["h264", "h265"])
async def test_frames_arrive_in_order(clips, mount: str, transport: str, auth: Auth | None) -> None:
    async with RtspServer(clips, auth) as server:
        frames = await read(open_source(f"{server.url(mount)}?transport={transport}"), 12, fps=10)
    shown = counters(frames)
    assert None not in shown
    for (before, first), (after, second) in pairwise(zip(shown, frames, strict=True)):
        step = (after - before) % 50  # the clip has 50 frames and begins again
        assert 1 <= step <= 25
        assert second.pts - first.pts == pytest.approx(step / 25, abs=0.045)
    assert all(before.arrived <= after.arrived for before, after in pairwise(frames))


async def test_an_encrypted_camera_is_read_though_it_signed_its_own_certificate(clips, tls) -> None:
    async with RtspServer(clips, DigestAuth("admin", PASSWORD), tls=tls) as server:
        assert server.url("h264").startswith("rtsps://")
        frames = await read(open_source(server.url("h264")), 5, fps=10)
    assert None not in counters(frames)


async def test_only_sampled_frames_are_delivered(clips) -> None:
    async with RtspServer(clips) as server:
        source = open_source(server.url("h264"))
        frames = await read(source, 4, fps=4)
    assert source.stats.decoded >= 15
    gaps = [after.pts - before.pts for before, after in pairwise(frames)]
    assert gaps == pytest.approx([0.25] * 3, abs=0.05)


async def test_opening_tells_codec_size_and_rate_and_no_password(clips) -> None:
    async with RtspServer(clips, BasicAuth("admin", "secret")) as server:
        source = open_source(server.url("h265"))
        info = await source.open(Sampler(5))
        await source.close()
    assert (info.codec, info.width, info.height, info.fps) == ("hevc", 320, 180, 25.0)
    assert source.label.startswith("rtsp://127.0.0.1:")
    assert "secret" not in source.label + repr(info)


async def test_keyframe_intervals_are_measured(clips) -> None:
    async with RtspServer(clips) as server:
        source = open_source(server.url("h264"))
        await read(source, 10, fps=5)
    assert source.stats.keyframe_interval == pytest.approx(0.4, abs=0.02)


async def refusal(url: str, timeouts: Timeouts | None = None) -> SourceUnavailable:
    """The error of opening or of the first frame; it may not tell the password."""
    with pytest.raises(SourceUnavailable) as caught:
        await read(open_source(url, timeouts=timeouts), 1)
    error = caught.value
    assert "secret" not in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__
    return error


@pytest.mark.parametrize("kind", [BasicAuth, DigestAuth])
@pytest.mark.parametrize("login", ["admin:secret@", "", "other:right@"])
async def test_a_wrong_login_is_auth(clips, kind: type[Auth], login: str) -> None:
    async with RtspServer(clips, kind("admin", "right")) as server:
        assert (await refusal(server.url("h264", login))).reason == "auth"


async def test_a_wrong_path_is_not_found(clips) -> None:
    async with RtspServer(clips, DigestAuth("admin", "secret")) as server:
        assert (await refusal(server.url("nothing"))).reason == "not_found"


async def test_nothing_listening_is_refused(clips) -> None:
    async with RtspServer(clips, DigestAuth("admin", "secret")) as server:
        server.kill()
        assert (await refusal(server.url("h264"))).reason == "refused"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("401 Unauthorized", "auth"),
        ("403 Forbidden", "auth"),
        ("404 Not Found", "not_found"),
        ("453 Not Enough Bandwidth", "refused"),
        ("503 Service Unavailable", "refused"),
    ],
)
async def test_each_status_has_its_reason(clips, status: str, reason: str) -> None:
    async with RtspServer(clips) as server:
        server.refuse(status)
        assert (await refusal(server.url("h264"))).reason == reason


async def test_a_server_that_accepts_and_says_nothing_does_not_hang(clips) -> None:
    async with RtspServer(clips) as server:
        server.freeze()
        began = time.monotonic()
        assert (await refusal(server.url("h264"), IMPATIENT)).reason == "timeout"
        assert time.monotonic() - began < 10


async def test_a_server_that_talks_nonsense_is_an_error() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\xff\r\n\r\nSSH-2.0-OpenSSH_9.2\r\n" * 50)
        await reader.read(1)
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await refusal(f"rtsp://me:secret@127.0.0.1:{port}/x", IMPATIENT)
    server.close()
    await server.wait_closed()


async def test_an_unknown_codec_is_codec(clips, tmp_path) -> None:
    strange = Clip(write_counter_video(tmp_path / "a.mp4"), encoding="X-UNHEARD-OF")
    async with RtspServer({"strange": strange}) as server:
        assert (await refusal(server.url("strange"), IMPATIENT)).reason == "codec"


async def test_video_without_keyframes_says_so(clips) -> None:
    async with RtspServer(clips) as server:
        source = open_source(server.url("h264"), timeouts=IMPATIENT)
        watcher = open_source(server.url("h264"))
        await read(watcher, 1)  # the mount is running
        server.withhold_keyframes("h264")
        with pytest.raises(SourceUnavailable) as caught:
            await read(source, 1)
    assert caught.value.reason == "no_keyframe"


async def drain(source: Source) -> None:
    """Reads until the source raises."""
    async with asyncio.timeout(20):
        while True:
            await source.recv()


async def test_silence_in_the_middle_ends_by_timeout(clips) -> None:
    async with RtspServer(clips) as server:
        source = open_source(server.url("h264"), timeouts=IMPATIENT)
        await source.open(Sampler(5))
        await source.recv()
        server.freeze()
        with pytest.raises(SourceUnavailable) as caught:
            await drain(source)
        await source.close()
    assert caught.value.reason == "timeout"


async def test_a_cut_connection_is_a_loss_and_not_an_end(clips) -> None:
    async with RtspServer(clips) as server:
        source = open_source(server.url("h264"))
        await source.open(Sampler(5))
        await source.recv()
        server.cut()
        with pytest.raises(SourceUnavailable) as caught:
            await drain(source)
        await source.close()
    assert caught.value.reason == "ended"


async def test_noise_in_the_stream_costs_frames_and_nothing_else(clips) -> None:
    async with RtspServer(clips) as server:
        source = open_source(server.url("h264"))
        await source.open(Sampler(25))
        await source.recv()
        server.garbage(40)
        seen: list[int | None] = []
        async with asyncio.timeout(20):
            while sum(number is not None for number in seen[-20:]) < 20:
                seen += counters([await source.recv()])
        await source.close()


async def test_the_picture_may_change_its_size_in_the_middle(clips) -> None:
    async with RtspServer(clips) as server:
        source = open_source(server.url("h264"))
        await source.open(Sampler(10))
        await source.recv()
        server.swap("h264", clips["large"])
        async with asyncio.timeout(20):
            while (frame := await source.recv()).pixels.shape != (360, 640, 3):
                assert frame.pixels.shape == (180, 320, 3)
            while (number := counters([await source.recv()])[0]) is None:
                pass
        await source.close()
    assert number >= 1000


async def test_no_address_reaches_the_log(clips, caplog, capfd) -> None:
    caplog.set_level(logging.DEBUG)
    async with RtspServer(clips, BasicAuth("admin", "secret")) as server:
        await read(open_source(server.url("h264")), 2)
        await refusal(server.url("h264", "admin:secretive@"))
        await refusal(server.url("nothing"))
    out, err = capfd.readouterr()
    assert "secret" not in caplog.text + out + err
