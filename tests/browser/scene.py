"""The real server with a demo camera that answers on command: the page's counterpart for faults."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.fakes.cameras import FakeCamera
from tests.fakes.house import House, house
from worlds.catalog import open_world

FPS = 4
SENTENCE = "A small red circle moves to the right and stops there ."
KEPT, ENCODED, CAPACITY = 9, 18, 512  # tokens per frame, and of the memory


@asynccontextmanager
async def scene(port: int = 0, **settings: Any) -> AsyncIterator[House]:
    """A server whose camera "demo" draws a world and counts frames; it says SENTENCE."""
    async with house("demo", port=port, **settings) as served:
        camera = served.cameras["demo"]
        camera.words = [f"{word} " for word in SENTENCE.split()]
        watching = asyncio.create_task(_watch(camera))
        try:
            yield served
        finally:
            camera.resume()
            watching.cancel()
            await asyncio.wait([watching])


async def _watch(camera: FakeCamera) -> None:
    world = open_world("shapes")
    began = time.monotonic() - 60  # a moment with something to see
    frames = 0
    camera.change(url="demo:shapes", frame_age_ms=140.0)
    while True:
        now = time.monotonic() - began
        frames += 1
        camera.see(world.frame(now))
        camera.truths = world.truth(now)
        camera.change(
            frames_in=frames,
            frames_remembered=frames,
            segments=frames // 2,
            segments_lost=0,
            tokens_encoded=ENCODED * frames,
            tokens_kept=KEPT * frames,
            memory_held=min(CAPACITY, KEPT * frames),
            memory_capacity=CAPACITY,
        )
        await asyncio.sleep(1 / FPS)
