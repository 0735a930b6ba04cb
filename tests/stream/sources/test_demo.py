import asyncio
import threading
import time

import numpy as np
import pytest

from core.errors import SourceUnavailable
from stream.sources import MaxPace, open_source
from stream.sources.base import SourceStats
from stream.sources.demo import DemoReader, DemoSource
from stream.sources.sampler import Sampler
from stream.sources.usb import UsbReader
from tests.stream.sources.reading import read
from worlds.catalog import MOODS, open_world


async def test_a_demo_shows_its_world_at_the_times_it_says() -> None:
    source = open_source("demo:shapes?seed=5&size=120x80", pace=MaxPace())
    assert isinstance(source, DemoSource)
    frames = await read(source, 20, fps=4)
    assert [frame.pts for frame in frames] == [n / 4 for n in range(20)]
    world = open_world("shapes", 5)
    for frame in frames[::6]:
        assert frame.pixels.shape == (80, 120, 3)
        assert np.array_equal(frame.pixels, world.frame(frame.pts, (80, 120)))
        assert source.world.truth(frame.pts) == world.truth(frame.pts)


@pytest.mark.parametrize("name", sorted(MOODS))
async def test_every_named_world_plays_and_tells_its_truth(name: str) -> None:
    source = open_source(f"demo:{name}?seed=3&size=48x32", pace=MaxPace())
    assert isinstance(source, DemoSource)
    frames = await read(source, 41, fps=1)
    world = open_world(name, 3)
    assert np.array_equal(frames[-1].pixels, world.frame(40.0, (32, 48)))
    truth = source.world.truth(frames[-1].pts)
    assert [told["name"] for told in truth["objects"]] == [
        t.look(40.0).name for t in world.seen(40)
    ]
    assert truth["events"] == world.log(10.0, 40.0)
    assert len(truth["events"]) >= 2


async def test_the_truth_may_be_asked_while_frames_are_drawn() -> None:
    source = open_source("demo:desk?seed=4&size=16x16", pace=MaxPace())
    assert isinstance(source, DemoSource)
    reading = asyncio.create_task(read(source, 600, fps=1))  # ten acts, drawn by another thread
    asked = 0
    while not reading.done():
        t = 3.0 * (asked % 200)
        assert source.world.truth(t)["t"] == t
        asked += 1
        await asyncio.sleep(0)
    frames = await reading
    assert asked > 10
    last = open_world("desk", 4).frame(frames[-1].pts, (16, 16))
    assert np.array_equal(frames[-1].pixels, last)


async def test_a_demo_is_live_and_runs_in_real_time() -> None:
    source = open_source("demo:busy?size=64x64")
    assert source.live
    began = time.monotonic()
    frames = await read(source, 6, fps=5)
    assert time.monotonic() - began >= 0.95
    assert frames[-1].arrived - frames[0].arrived >= 0.5


async def test_a_capture_device_that_is_not_there_is_named() -> None:
    with pytest.raises(SourceUnavailable, match="video97") as caught:
        await read(open_source("usb:97"))
    assert caught.value.reason == "not_found"


def test_a_device_that_cannot_be_opened_says_what_to_do() -> None:
    with pytest.raises(SourceUnavailable, match="cannot be opened") as caught:
        UsbReader("/dev/null", "usb:/dev/null").open()
    assert caught.value.reason == "refused"


def test_a_demo_whose_rate_changes_on_the_way_goes_on_from_its_newest_frame() -> None:
    sampler, stop = Sampler(4), threading.Event()
    reader = DemoReader(open_world("shapes", 5), (16, 16), MaxPace().pacer())
    frames = reader.frames(sampler, SourceStats(), stop)
    times = [next(frames).pts for _ in range(4)]
    sampler.retune(2)
    times += [next(frames).pts for _ in range(3)]
    sampler.retune(8)
    times += [next(frames).pts for _ in range(3)]
    assert times == [0, 0.25, 0.5, 0.75, 1.25, 1.75, 2.25, 2.375, 2.5, 2.625]
