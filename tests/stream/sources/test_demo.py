import time

import numpy as np
import pytest

from core.errors import SourceUnavailable
from stream.sources import MaxPace, open_source
from stream.sources.demo import DemoSource
from stream.sources.usb import UsbReader
from tests.stream.sources.reading import read
from worlds.catalog import open_world


async def test_a_demo_shows_its_world_at_the_times_it_says() -> None:
    source = open_source("demo:shapes?seed=5&size=120x80", pace=MaxPace())
    assert isinstance(source, DemoSource)
    frames = await read(source, 20, fps=4)
    assert [frame.pts for frame in frames] == [n / 4 for n in range(20)]
    world = open_world("shapes", 5)
    for frame in frames[::6]:
        assert frame.pixels.shape == (80, 120, 3)
        assert np.array_equal(frame.pixels, world.frame(frame.pts, (80, 120)))
    assert source.world.truth(2.0) == world.truth(2.0)


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
