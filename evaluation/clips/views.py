"""A source whose pictures are changed on the way: turned, or dark."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from core.frames import Frame
from stream.sources.base import Source, SourceInfo
from stream.sources.sampler import Sampler

Pixels = NDArray[np.uint8]  # [height, width, 3]
View = Callable[[Pixels], Pixels]


def turn(quarters: int) -> View:
    """A view turned to the left by quarters of a circle."""
    return lambda pixels: np.ascontiguousarray(np.rot90(pixels, quarters))


def dark(pixels: Pixels) -> Pixels:
    """As much of nothing."""
    return np.zeros_like(pixels)


class ViewedSource(Source):
    """Another source's frames through a view; all else is the other source's.

    Args:
        inner: delivers the frames; belongs to this source from now on.
        view: changes each picture.
    """

    def __init__(self, inner: Source, view: View) -> None:
        super().__init__(inner.label, live=inner.live, lossless=inner.lossless)
        self.stats = inner.stats
        self._inner, self._view = inner, view

    async def open(self, sampler: Sampler) -> SourceInfo:
        """See `Source.open`; width and height are those before the view."""
        return await self._inner.open(sampler)

    async def recv(self) -> Frame:
        """See `Source.recv`."""
        frame = await self._inner.recv()
        return frame.showing(self._view(frame.pixels))

    async def close(self) -> None:
        """See `Source.close`."""
        await self._inner.close()
