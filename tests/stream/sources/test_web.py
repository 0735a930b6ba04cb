"""HLS, MJPEG and recordings over HTTP, from a real HTTP server in the test."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import av
import cv2
import pytest

from core.errors import SourceUnavailable
from stream.sources import MaxPace, open_source
from stream.sources.av_reader import Timeouts
from stream.sources.failures import translate
from tests.rtsp.media import counter_frame, write_counter_video
from tests.stream.sources.reading import counters, read

Answer = Callable[[str, asyncio.StreamWriter], Awaitable[None]]
IMPATIENT = Timeouts(open_s=2.0, read_s=2.0)


@asynccontextmanager
async def web(answer: Answer) -> AsyncIterator[str]:
    """An HTTP server on a free port; `answer` gets the path and writes the whole reply."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            await answer(request.split()[1].decode(), writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def files(folder: Path) -> Answer:
    async def answer(path: str, writer: asyncio.StreamWriter) -> None:
        file = folder / path.partition("?")[0].lstrip("/")
        if not file.is_file():
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        data = file.read_bytes()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + data)

    return answer


async def mjpeg(path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=cut\r\n\r\n"
    )
    for number in range(1000):
        ok, data = cv2.imencode(".jpg", counter_frame(number))
        assert ok
        part = f"--cut\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
        writer.write(part.encode() + data.tobytes() + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0.1)  # ten frames per second are what this camera sends


def refusing(status: str) -> Answer:
    async def answer(path: str, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

    return answer


async def silent(path: str, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def test_mjpeg_is_timed_by_its_arrival() -> None:
    async with web(mjpeg) as url:
        frames = await read(open_source(f"{url}/video"), 8, fps=20)
    shown = counters(frames)
    assert None not in shown
    assert shown == sorted(shown)
    later = frames[-4:]  # what was collected while probing came at once
    for before, after in pairwise(later):
        assert 0.03 < after.pts - before.pts < 1


@pytest.fixture
def hls(tmp_path: Path) -> Path:
    options = {"hls_time": "1", "hls_list_size": "0"}
    write_counter_video(tmp_path / "live.m3u8", seconds=4, options=options)
    assert len(list(tmp_path.glob("*.ts"))) >= 3
    return tmp_path


async def test_hls_is_read_in_order_and_in_time(hls: Path) -> None:
    async with web(files(hls)) as url:
        source = open_source(f"{url}/live.m3u8")
        assert source.live
        frames = await read(source, 12, fps=5)
    assert counters(frames) == list(range(0, 60, 5))
    assert frames[-1].arrived - frames[0].arrived >= 1.5


async def test_a_recording_over_http_is_a_file(tmp_path: Path) -> None:
    write_counter_video(tmp_path / "a.mp4", seconds=2, options={"movflags": "faststart"})
    async with web(files(tmp_path)) as url:
        frames = await read(open_source(f"{url}/a.mp4?token=x", pace=MaxPace()))
    assert counters(frames) == list(range(50))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (refusing("401 Unauthorized"), "auth"),
        (refusing("404 Not Found"), "not_found"),
        (refusing("503 Service Unavailable"), "refused"),
        (silent, "timeout"),
    ],
)
async def test_each_refusal_has_its_reason(answer: Answer, reason: str) -> None:
    async with web(answer) as url:
        address = url.replace("http://", "http://me:secret@")
        with pytest.raises(SourceUnavailable) as caught:
            await read(open_source(f"{address}/live.m3u8", timeouts=IMPATIENT))
    assert caught.value.reason == reason
    assert "secret" not in str(caught.value)


async def test_a_page_that_is_no_video_is_codec() -> None:
    async def page(path: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n" + b"<p>hello</p>" * 334)

    async with web(page) as url:
        with pytest.raises(SourceUnavailable) as caught:
            await read(open_source(f"{url}/x", timeouts=IMPATIENT))
    assert caught.value.reason == "codec"


@pytest.mark.parametrize("scheme", ["rtmp", "rtsps", "https", "http", "rtsp"])
async def test_every_network_scheme_is_known_to_the_library(scheme: str) -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    with pytest.raises(SourceUnavailable) as caught:
        await read(open_source(f"{scheme}://127.0.0.1:{port}/x", timeouts=IMPATIENT))
    assert caught.value.reason == "refused"


@pytest.mark.parametrize("scheme", ["rtsp", "https"])
async def test_a_machine_that_nobody_knows_is_not_found(scheme: str) -> None:
    with pytest.raises(SourceUnavailable, match="no machine is called") as caught:
        await read(open_source(f"{scheme}://me:secret@no-such-camera.invalid/x"))
    assert caught.value.reason == "not_found"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("number", [errno.EHOSTUNREACH, errno.ENETUNREACH])
def test_a_machine_without_a_way_to_it_is_timeout(number: int) -> None:
    lost = translate(OSError(number, "x"), "cam", overdue=False, host="127.0.0.1", tls=False)
    assert (lost.reason, str(lost)) == ("timeout", "cam: its machine cannot be reached from here")


def test_a_file_that_may_not_be_read_does_not_ask_for_a_password() -> None:
    lost = translate(PermissionError(), "/a.mp4", overdue=False, host=None, tls=False)
    assert str(lost) == "/a.mp4: this user may not read it"


@pytest.mark.parametrize("scheme", ["rtsps", "https"])
async def test_a_server_without_tls_is_tls(scheme: str) -> None:
    def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(SourceUnavailable) as caught:
        await read(open_source(f"{scheme}://127.0.0.1:{port}/x", timeouts=IMPATIENT))
    server.close()
    await server.wait_closed()
    assert caught.value.reason == "tls"


def test_the_library_logs_nothing_by_itself() -> None:
    assert av.logging.get_level() is None
