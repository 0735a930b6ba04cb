import asyncio
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.frames import Frame
from stream.sources.base import EndOfSource
from stream.sources.buffer import FrameBuffer
from tests.waiting import eventually

PIXELS = np.zeros((2, 2, 3), np.uint8)


def frame(number: float) -> Frame:
    return Frame(float(number), float(number), PIXELS)


def numbers(frames: list[Frame]) -> list[int]:
    return [int(one.pts) for one in frames]


@given(st.integers(1, 20), st.integers(0, 100))
def test_the_newest_are_held_and_the_oldest_counted(capacity: int, count: int) -> None:
    buffer = FrameBuffer(capacity)
    for number in range(count):
        buffer.put(frame(number))
    assert len(buffer) == min(capacity, count)
    assert buffer.dropped == max(0, count - capacity)
    if count:
        held = asyncio.run(buffer.get_many(capacity))
        assert numbers(held) == list(range(max(0, count - capacity), count))


async def test_at_most_so_many_are_taken_as_asked_for() -> None:
    buffer = FrameBuffer(5)
    for number in range(5):
        buffer.put(frame(number))
    assert numbers(await buffer.get_many(2)) == [0, 1]
    assert numbers(await buffer.get_many(9)) == [2, 3, 4]


async def test_taking_waits_for_a_frame_from_another_thread() -> None:
    buffer = FrameBuffer(2)
    taking = asyncio.create_task(buffer.get_many(1))
    await asyncio.sleep(0)
    threading.Thread(target=buffer.put, args=(frame(7),)).start()
    assert numbers(await asyncio.wait_for(taking, 5)) == [7]


async def test_a_thread_that_may_lose_nothing_is_held_back() -> None:
    buffer, got = FrameBuffer(2), []
    thread = threading.Thread(target=lambda: [buffer.put_blocking(frame(n)) for n in range(100)])
    thread.start()
    while len(got) < 100:
        got += numbers(await asyncio.wait_for(buffer.get_many(3), 5))
        assert len(buffer) <= 2
    thread.join(5)
    assert got == list(range(100))
    assert buffer.dropped == 0


async def test_a_task_that_may_lose_nothing_is_held_back() -> None:
    buffer, got = FrameBuffer(2), []

    async def produce() -> None:
        for number in range(100):
            assert await buffer.put_waiting(frame(number))

    async with asyncio.TaskGroup() as group:
        group.create_task(produce())
        while len(got) < 100:
            got += numbers(await asyncio.wait_for(buffer.get_many(3), 5))
    assert got == list(range(100))
    assert buffer.dropped == 0


async def test_closing_gives_what_is_held_and_then_the_end() -> None:
    buffer = FrameBuffer(4)
    buffer.put(frame(1))
    buffer.close(EndOfSource())
    buffer.put(frame(2))
    assert numbers(await buffer.get_many(4)) == [1]
    for _ in range(2):
        with pytest.raises(EndOfSource):
            await buffer.get_many(4)


async def test_the_first_end_is_the_one_that_is_told() -> None:
    buffer = FrameBuffer(4)
    buffer.close(EndOfSource())
    buffer.close(RuntimeError("later"))
    with pytest.raises(EndOfSource):
        await buffer.get_many(1)


async def test_closing_frees_everybody_who_waits() -> None:
    buffer, outcome = FrameBuffer(1), []
    empty = FrameBuffer(1)
    buffer.put(frame(0))
    thread = threading.Thread(target=lambda: outcome.append(buffer.put_blocking(frame(1))))
    thread.start()
    task = asyncio.create_task(buffer.put_waiting(frame(2)))
    taker = asyncio.create_task(empty.get_many(1))
    await asyncio.sleep(0)
    buffer.close(EndOfSource())
    empty.close(EndOfSource())
    assert await asyncio.wait_for(task, 5) is False
    await eventually(lambda: outcome == [False])
    with pytest.raises(EndOfSource):
        await asyncio.wait_for(taker, 5)
    thread.join(5)


async def test_a_cancelled_taker_loses_no_frame() -> None:
    buffer = FrameBuffer(4)
    for number in range(50):
        taker = asyncio.create_task(buffer.get_many(1))
        await asyncio.sleep(0)
        buffer.put(frame(number))
        taker.cancel()
        taken = await asyncio.gather(taker, return_exceptions=True)
        if isinstance(taken[0], asyncio.CancelledError):
            taken = [await buffer.get_many(1)]
        assert numbers(taken[0]) == [number]


def test_a_buffer_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        FrameBuffer(0)
