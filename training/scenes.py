"""Pictures of worlds as the pipeline would deliver them: pairs of frames at about 4 per second."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from numpy.typing import NDArray

from training.architecture import PICTURE
from worlds.catalog import HELD_OUT, MOODS
from worlds.script import Thing
from worlds.world import World

FRAME_GAP: Final = 0.25  # seconds between sampled frames
_LARGE: Final = 384


def training_world(rng: Generator) -> World:
    """A world drawn for training: any mood, a seed below `HELD_OUT`."""
    mood = MOODS[str(rng.choice(list(MOODS), p=[0.5, 0.15, 0.35]))]
    return World(int(rng.integers(0, HELD_OUT)), mood)


def draw(world: World, t: float, large: bool) -> NDArray[np.uint8]:
    """One frame at the model's size, drawn there or drawn large and resized as the pipeline does.

    Returns:
        RGB, uint8 [96, 96, 3].
    """
    if not large:
        return world.frame(t, (PICTURE, PICTURE))
    picture = torch.from_numpy(world.frame(t, (_LARGE, _LARGE))).permute(2, 0, 1)[None]
    small = F.interpolate(picture, size=(PICTURE, PICTURE), mode="bicubic", antialias=True)
    return np.ascontiguousarray(small[0].permute(1, 2, 0).numpy())


def cover(things: list[Thing], t: float, side: int, samples: int = 4) -> NDArray[np.int64]:
    """Which thing covers each cell of a side x side grid.

    Args:
        things: in drawing order, later ones on top.
        t: seconds.
        side: cells per side.
        samples: probes per side of a cell.

    Returns:
        int64 [side * side]: index into `things`, -1 where nothing is, -2 where a thing only
        grazes the cell.
    """
    probes = (np.arange(side * samples) + 0.5) / (side * samples)
    owner = np.full((side * samples, side * samples), -1)
    for number, thing in enumerate(things):
        x, y = thing.at(t)
        inside = (probes[:, None] - y) ** 2 + (probes[None] - x) ** 2 < (0.9 * thing.radius) ** 2
        owner[inside] = number
    blocks = owner.reshape(side, samples, side, samples).transpose(0, 2, 1, 3)
    cells = blocks.reshape(side * side, samples * samples)
    counts = np.stack([(cells == n).sum(1) for n in range(len(things))] or [np.zeros(side * side)])
    most, share = counts.argmax(0), counts.max(0) / samples**2
    return np.where(share > 0.1, most, np.where(share > 0, -2, -1))
