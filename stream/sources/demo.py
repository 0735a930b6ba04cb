"""The rendered worlds as cameras: endless, seeded, and with a truth that can be asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from core.frames import Frame
from stream.sources.base import SourceInfo, SourceStats
from stream.sources.pace import Pace, Pacer
from stream.sources.sampler import Sampler
from stream.sources.thread import Reader, ThreadSource
from worlds.catalog import open_world
from worlds.world import World


class DemoReader(Reader):
    """Renders a world at the moments the sampler asks for; draws nothing that is not taken.

    Args:
        world: what to draw.
        size: (height, width) in pixels.
        pacer: holds each frame back until it is due.
    """

    def __init__(self, world: World, size: tuple[int, int], pacer: Pacer) -> None:
        self._world = world
        self._size = size
        self._pacer = pacer

    def open(self) -> SourceInfo:
        """A world is always there."""
        return SourceInfo("rendered", self._size[1], self._size[0], None)

    def frames(
        self, sampler: Sampler, stats: SourceStats, stop: threading.Event
    ) -> Iterator[Frame]:
        """Frames for ever, exactly at the sampler's rate; pts are world time, from 0 on."""
        start, tick, fps = 0.0, 0, sampler.fps
        while not stop.is_set():
            asked = sampler.fps
            if asked != fps:  # it was retuned: on from the newest frame at the new rate
                start, tick, fps = start + max(0, tick - 1) / fps, min(tick, 1), asked
            pts = start + tick / fps
            tick += 1
            if not sampler.wants(pts):
                continue
            self._pacer.wait(pts, stop)
            if stop.is_set():
                return
            pixels = self._world.frame(pts, self._size)
            stats.decoded += 1
            yield Frame(pts, time.monotonic(), pixels)

    def close(self) -> None:
        """Nothing is held."""


class DemoSource(ThreadSource):
    """A rendered world as a live camera.

    Attributes:
        world: what is shown; `world.truth(t)` says what is there at media time t. Not the one
            that the decode thread draws from, but its equal: a world is not for two threads.

    Args:
        name: of the world.
        seed: which of its endlessly many histories; None for the usual one.
        pace: real time, or as fast as frames are taken (for evaluation).
        size: (height, width) in pixels.

    Raises:
        ConfigError: if there is no such world.
    """

    def __init__(
        self,
        name: str,
        seed: int | None,
        pace: Pace,
        *,
        size: tuple[int, int] = (384, 384),
    ) -> None:
        self.world = open_world(name, seed)
        super().__init__(
            lambda: DemoReader(open_world(name, seed), size, pace.pacer()),
            f"demo:{name}",
            live=True,
            lossless=pace.lossless,
        )
