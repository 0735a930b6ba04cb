"""Pictures of worlds as the pipeline would deliver them, and what covers each visual token."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from numpy.typing import NDArray

from worlds.catalog import HELD_OUT, MOODS
from worlds.script import Mood
from worlds.stories.cast import Cast
from worlds.stories.changing import counts, opens
from worlds.stories.meeting import is_covered, takes
from worlds.stories.moving import bounces, passes, stands
from worlds.things import Thing
from worlds.world import World

FRAME_GAPS: Final = (0.25, 0.5)  # seconds between sampled frames: 4 or 2 per second
_SLOW: Final = 0.3  # share of the longer one
_LARGE: Final = 384
_SCENERY: Final = (0.45, 0.2, 0.15, 0.2)  # whatever the mood, so that no background tells the mood
# What demo worlds show too rarely to be learnt from them alone.
_RARE: Final = Mood(
    ((stands, 1.0), (counts, 6.0), (opens, 3.0), (takes, 1.6), (is_covered, 0.6)),
    Cast(stay=(4.0, 10.0), objects=0.6),
)
# As large in view as things before real cameras, mostly on the move.
_LARGE_ONES: Final = Mood(
    ((passes, 6.0), (bounces, 1.0), (stands, 2.5)),
    Cast(stay=(4.0, 10.0), speed=(0.06, 0.3), radius=(0.15, 0.3), objects=0.6),
    pause=(2.0, 4.5),
    most=3,
)
TRAINING_MOODS: Final = {**MOODS, "rare": _RARE, "large": _LARGE_ONES}


def training_world(rng: Generator, moods: dict[str, float]) -> World:
    """A world drawn for training: a seed below `HELD_OUT`, and no held-out combination.

    Args:
        rng: draws.
        moods: names of `TRAINING_MOODS` and how often each is drawn.
    """
    weights = np.array(list(moods.values()))
    mood = TRAINING_MOODS[str(rng.choice(list(moods), p=weights / weights.sum()))]
    cast = replace(mood.cast, combinations="trained")
    seed = int(rng.integers(0, HELD_OUT))
    return World(seed, replace(mood, cast=cast, scenery=_SCENERY))


def frame_gap(rng: Generator) -> float:
    """Seconds between two frames of a camera."""
    return FRAME_GAPS[int(rng.random() < _SLOW)]


def draw(world: World, t: float, size: int, large: bool) -> NDArray[np.uint8]:
    """One frame at the model's size, drawn there or drawn large and resized as the pipeline does.

    Returns:
        RGB, uint8 [size, size, 3].
    """
    if not large:
        return world.frame(t, (size, size))
    picture = torch.from_numpy(world.frame(t, (_LARGE, _LARGE))).permute(2, 0, 1)[None]
    small = F.interpolate(picture, size=(size, size), mode="bicubic", antialias=True)
    return np.ascontiguousarray(small[0].permute(1, 2, 0).numpy())


def cover(things: list[Thing], t: float, side: int, samples: int = 4) -> NDArray[np.int64]:
    """Which thing covers each cell of a side x side grid.

    Args:
        things: later ones lie on top within a layer.
        t: seconds.
        side: cells per side.
        samples: probes per side of a cell.

    Returns:
        int64 [side * side]: index into `things`, -1 where nothing is, -2 where a thing only
        grazes the cell.
    """
    probes = (np.arange(side * samples) + 0.5) / (side * samples)
    owner = np.full((side * samples, side * samples), -1)
    for number in sorted(range(len(things)), key=lambda n: things[n].layer):
        (x, y), reach = things[number].at(t), 0.9 * things[number].radius(t)
        owner[(probes[:, None] - y) ** 2 + (probes[None] - x) ** 2 < reach**2] = number
    blocks = owner.reshape(side, samples, side, samples).transpose(0, 2, 1, 3)
    cells = blocks.reshape(side * side, samples * samples)
    counts = np.stack([(cells == n).sum(1) for n in range(len(things))] or [np.zeros(side * side)])
    most, share = counts.argmax(0), counts.max(0) / samples**2
    return np.where(share > 0.1, most, np.where(share > 0, -2, -1))
