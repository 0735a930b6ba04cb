import asyncio
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from core.errors import SourceUnavailable
from stream.sources import EndOfSource, MaxPace, Source, open_source
from stream.sources.feed import CameraState, Feed
from stream.sources.sampler import Sampler
from tests.rtsp.media import counter_frame, read_counter, write_counter_video, write_sound
from tests.stream.sources.reading import counters, read
from tests.waiting import eventually


def source_threads() -> list[threading.Thread]:
    """Decode threads that are still running."""
    return [one for one in threading.enumerate() if one.name.startswith("source ")]


def at_full_speed(path: Path | str) -> Source:
    return open_source(str(path), pace=MaxPace())


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_counter_video(tmp_path_factory.mktemp("film") / "film.mp4", seconds=4)


@pytest.mark.parametrize("size", [(320, 180), (96, 96), (641, 361)])
def test_the_counter_is_read_back_at_any_size(size: tuple[int, int]) -> None:
    for number in (0, 1, 77, 4095, 65535):
        assert read_counter(counter_frame(number, size)) == number


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_plain_picture_shows_no_counter(level: int) -> None:
    assert read_counter(np.full((180, 320, 3), level, np.uint8)) is None


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "h264"),
        ("a.mkv", "h265"),
        ("a.ts", "h264"),
        ("a.avi", "mjpeg"),
        ("a.mov", "mpeg4"),
    ],
)
async def test_at_full_speed_no_frame_is_lost_and_order_is_kept(tmp_path, name, codec) -> None:
    path = write_counter_video(tmp_path / name, codec, seconds=4)
    frames = await read(at_full_speed(path))
    assert counters(frames) == list(range(100))
    assert all(before.pts < after.pts for before, after in pairwise(frames))
    assert frames[-1].pts - frames[0].pts == pytest.approx(99 / 25, abs=0.01)


async def test_at_full_speed_a_slow_reader_loses_nothing(film: Path) -> None:
    feed = Feed(lambda: at_full_speed(film), fps=1000, buffer_frames=2)
    seen: list[int | None] = []
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(feed.run())
        while len(seen) < 100:
            seen += counters(await feed.take(3))
            await asyncio.sleep(0.005)
        with pytest.raises(EndOfSource):
            await feed.take(1)
    assert seen == list(range(100))
    assert feed.status.frames_dropped == 0
    assert (feed.status.state, feed.status.reason) == (CameraState.OFFLINE, "ended")


async def test_only_the_frames_the_sampler_wants_are_delivered(film: Path) -> None:
    frames = await read(at_full_speed(film), fps=5)
    assert counters(frames) == list(range(0, 100, 5))
    assert [frame.pts for frame in frames] == pytest.approx([n / 5 for n in range(20)])


async def test_in_real_time_a_file_takes_as_long_as_it_is(film: Path) -> None:
    began = time.monotonic()
    frames = await read(open_source(str(film)), fps=5)
    assert time.monotonic() - began >= 3.5
    for frame in frames:  # never early
        assert frame.arrived - frames[0].arrived >= frame.pts - frames[0].pts - 0.5


async def test_a_loop_goes_on_with_rising_pts(tmp_path: Path) -> None:
    path = write_counter_video(tmp_path / "short.mp4", seconds=1)
    frames = await read(at_full_speed(f"{path}?loop=1"), 70)
    assert counters(frames) == [n % 25 for n in range(70)]
    assert [f.pts for f in frames] == pytest.approx([n / 25 for n in range(70)], abs=1e-3)


async def test_a_file_address_may_be_written_in_three_ways(film: Path) -> None:
    for url in (str(film), f"file:{film}", f"file://{film}"):
        assert counters(await read(at_full_speed(url), 3)) == [0, 1, 2]


async def test_a_name_with_a_question_mark_or_colon_is_found(tmp_path: Path) -> None:
    path = write_counter_video(tmp_path / "what?loop=1:x.mp4", seconds=0.4)
    assert counters(await read(at_full_speed(path))) == list(range(10))


async def test_sound_beside_the_picture_does_not_disturb(tmp_path: Path) -> None:
    path = write_counter_video(tmp_path / "talk.mp4", seconds=1, audio=True)
    assert counters(await read(at_full_speed(path))) == list(range(25))


async def test_a_telephone_s_rotation_is_applied(tmp_path: Path) -> None:
    path = write_counter_video(tmp_path / "phone.mp4", seconds=0.4)
    one, none, whole = b"\0\1\0\0", b"\0\0\0\0", b"\x40\0\0\0"
    upright = one + none * 3 + one + none * 3 + whole
    clockwise = none + one + none + b"\xff\xff\0\0" + none * 4 + whole
    head, matrix, tail = path.read_bytes().rpartition(upright)  # the last one is the track's
    assert matrix
    path.write_bytes(head + clockwise + tail)
    frames = await read(at_full_speed(path))
    assert frames[0].pixels.shape == (320, 180, 3)
    assert [read_counter(np.rot90(frame.pixels)) for frame in frames] == list(range(10))


async def test_opening_tells_codec_size_and_rate(film: Path) -> None:
    source = at_full_speed(film)
    info = await source.open(Sampler(1))
    await source.close()
    assert (info.codec, info.width, info.height, info.fps) == ("h264", 320, 180, 25.0)


async def failure(path: Path | str) -> SourceUnavailable:
    with pytest.raises(SourceUnavailable) as caught:
        await read(at_full_speed(path))
    assert str(path) in str(caught.value)
    return caught.value


async def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    assert (await failure(tmp_path / "none.mp4")).reason == "not_found"


async def test_an_empty_file_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "empty.mp4"
    path.touch()
    assert (await failure(path)).reason == "codec"


async def test_something_else_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "letter.mp4"
    path.write_text("Dear Sir or Madam,\n" * 500)
    assert (await failure(path)).reason == "codec"


async def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    error = await failure(write_sound(tmp_path / "song.mp4"))
    assert error.reason == "codec"
    assert "no video" in str(error)


async def test_a_folder_is_no_video(tmp_path: Path) -> None:
    assert (await failure(tmp_path)).reason in ("not_found", "codec")


async def test_a_file_without_its_end_cannot_be_opened(tmp_path: Path) -> None:
    whole = write_counter_video(tmp_path / "whole.mp4", seconds=4).read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    assert (await failure(path)).reason == "codec"


async def test_a_file_cut_off_in_the_middle_delivers_its_frames_and_says_so(tmp_path: Path) -> None:
    options = {"movflags": "faststart"}
    whole = write_counter_video(tmp_path / "whole.mp4", seconds=8, options=options).read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole[: len(whole) // 2])
    source, frames = at_full_speed(path), []
    with pytest.raises(SourceUnavailable, match="cut off") as caught:
        await read(source, into=frames)
    assert caught.value.reason == "ended"
    assert counters(frames)[:20] == list(range(20))
    assert len(frames) < 200


async def test_a_playlist_may_not_make_us_call_other_addresses(tmp_path: Path) -> None:
    calls = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append(await reader.read(1))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    path = tmp_path / "list.m3u8"
    path.write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\n"
        f"http://127.0.0.1:{port}/part.ts\n#EXT-X-ENDLIST\n"
    )
    await failure(path)
    server.close()
    await server.wait_closed()
    assert calls == []


async def test_closing_in_the_middle_ends_the_thread_and_may_be_repeated(film: Path) -> None:
    source = open_source(f"{film}?loop=1")
    await source.open(Sampler(1000))
    await source.recv()
    assert len(source_threads()) == 1
    await source.close()
    await source.close()
    await eventually(lambda: not source_threads())
    with pytest.raises(SourceUnavailable):
        await source.recv()


async def test_closing_frees_a_decoder_that_is_held_back(film: Path) -> None:
    source = at_full_speed(film)
    await source.open(Sampler(1000))
    await eventually(lambda: source.stats.decoded > 10)
    await source.close()
    assert not source_threads()
