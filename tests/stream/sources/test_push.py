import asyncio

import cv2
import numpy as np
import pytest

from core.errors import FrameError, SourceUnavailable
from stream.sources.push import PushSource, decode_picture
from stream.sources.sampler import Sampler
from tests.rtsp.media import counter_frame, read_counter


def jpeg(number: int) -> bytes:
    ok, data = cv2.imencode(".jpg", counter_frame(number)[:, :, ::-1])
    assert ok
    return data.tobytes()


async def test_what_is_pushed_comes_out_in_order() -> None:
    source = PushSource("phone")
    await source.open(Sampler(10))
    for number in range(4):
        assert source.push(decode_picture(jpeg(number)), captured_at=1000 + number)
    frames = [await source.recv() for _ in range(4)]
    assert [read_counter(frame.pixels) for frame in frames] == [0, 1, 2, 3]
    assert [frame.pts for frame in frames] == [1000, 1001, 1002, 1003]
    await source.close()


async def test_more_than_the_sampler_wants_is_not_kept() -> None:
    source = PushSource()
    await source.open(Sampler(2))
    taken = [source.push(counter_frame(n), captured_at=n / 20) for n in range(40)]
    assert sum(taken) == 4
    assert source.stats.decoded == 40


async def test_without_a_sender_s_clock_the_arrival_counts() -> None:
    source = PushSource()
    await source.open(Sampler(10))
    source.push(counter_frame(1))
    frame = await source.recv()
    assert frame.pts == frame.arrived


async def test_the_oldest_give_way_and_are_counted() -> None:
    source = PushSource(buffer_frames=3)
    await source.open(Sampler(10))
    for number in range(10):
        source.push(counter_frame(number), captured_at=number)
    assert source.stats.dropped == 7
    assert read_counter((await source.recv()).pixels) == 7


async def test_it_may_be_opened_again() -> None:
    source = PushSource()
    assert not source.push(counter_frame(1))
    for _ in range(2):
        await source.open(Sampler(10))
        assert source.push(counter_frame(1), captured_at=1)
        await source.recv()
        await source.close()
        assert not source.push(counter_frame(1))
        with pytest.raises(SourceUnavailable):
            await source.recv()


async def test_silence_waits() -> None:
    source = PushSource()
    await source.open(Sampler(10))
    waiting = asyncio.create_task(source.recv())
    await asyncio.sleep(0)
    assert not waiting.done()
    source.push(counter_frame(5))
    assert read_counter((await asyncio.wait_for(waiting, 5)).pixels) == 5


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
async def test_what_is_no_picture_is_refused(pixels) -> None:
    source = PushSource()
    await source.open(Sampler(10))
    with pytest.raises(FrameError):
        source.push(pixels)


@pytest.mark.parametrize("data", [b"", b"\x00", b"not a picture" * 100, jpeg(1)[:60]])
def test_bytes_that_are_no_picture_are_refused(data: bytes) -> None:
    with pytest.raises(FrameError):
        decode_picture(data)


def test_red_stays_red() -> None:
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 255
    ok, data = cv2.imencode(".png", red[:, :, ::-1])
    assert ok
    assert (decode_picture(data.tobytes()) == red).all()
