"""What the tests of worlds look at: acts of many seeds, one story at a time, and single things."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from worlds.catalog import MOODS
from worlds.painter import Painter
from worlds.scenery import KINDS, Scenery
from worlds.stories.cast import Cast, Story
from worlds.things import Thing

SIZE = (256, 256)  # pixels that labels are checked at
STORIES: tuple[Story, ...] = tuple(
    dict.fromkeys(story for mood in MOODS.values() for story, _ in mood.stories)
)


def told(
    story: Story, count: int, cast: Cast | None = None, now: float = 7.0
) -> Iterator[list[Thing]]:
    """A story told so many times from one seed; the times that it did not work out are left out."""
    rng = np.random.default_rng(11)
    given = 0
    for _ in range(60 * count):
        made = story(rng, now, cast or Cast(objects=0.5))
        if made is not None:
            given += 1
            yield made
        if given == count:
            return
    raise AssertionError(f"{story.__name__} worked out only {given} times of {60 * count}")


def quiet_painter(seed: int = 3, kind: str = "smooth") -> Painter:
    """A painter on a background of that kind whose pictures are not compressed."""
    first, second, third, fourth = (float(kind == one) for one in KINDS)
    scenery = Scenery(seed, (first, second, third, fourth))
    scenery.jpeg = 0
    return Painter(scenery)


def trace(painter: Painter, things: Sequence[Thing], t: float) -> NDArray[np.float64]:
    """How much the things change each pixel of the empty scene at time `t`: [h, w]."""
    there = [thing for thing in things if thing.exists(t)]
    shown, bare = (painter.paint(some, t, SIZE).astype(float) for some in (there, []))
    change: NDArray[np.float64] = np.abs(shown - bare).max(-1)
    return change


def centroid(painter: Painter, thing: Thing, t: float) -> NDArray[np.float64]:
    """Where the pixels of a thing are, x and y in picture widths."""
    rows, columns = np.nonzero(trace(painter, [thing], t) > 10)
    assert len(rows), "it cannot be seen"
    return (np.array([columns.mean(), rows.mean()]) + 0.5) / np.array(SIZE[::-1])
