"""The demo worlds by name: what `demo:NAME` opens."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from core.errors import ConfigError
from worlds.script import Mood
from worlds.stories.cast import Cast, Combinations
from worlds.stories.changing import blinks, counts, jumps, opens, recolours, resizes
from worlds.stories.meeting import collide, is_covered, takes
from worlds.stories.moving import bounces, circles, nears, passes, speeds_up, stands, turns
from worlds.world import World

DEFAULT: Final = "shapes"
HELD_OUT: Final = 10_000_000  # worlds with seeds from here on are never trained on

_COMING: Final = ((stands, 4.5), (passes, 5.5))
_WAYS: Final = ((bounces, 1.0), (circles, 0.8), (speeds_up, 0.8), (nears, 1.0), (turns, 0.7))
_CHANGES: Final = (
    (recolours, 0.8),
    (opens, 1.6),
    (counts, 1.8),
    (resizes, 0.8),
    (jumps, 0.6),
    (blinks, 0.6),
)
_MEETINGS: Final = ((takes, 1.6), (is_covered, 0.8), (collide, 0.6))

MOODS: Final[dict[str, Mood]] = {
    "shapes": Mood(_COMING),
    "calm": Mood(
        ((stands, 6.5), (passes, 3.5)),
        Cast(stay=(10.0, 25.0), speed=(0.11, 0.18)),
        pause=(4.5, 9.0),
    ),
    "busy": Mood(
        ((stands, 2.5), (passes, 6.5), (bounces, 1.0)),
        Cast(stay=(3.0, 8.0), speed=(0.15, 0.26)),
        pause=(1.2, 2.6),
        most=5,
    ),
    "objects": Mood(
        (*_COMING, *_WAYS),
        Cast(objects=0.65),
        most=5,
        scenery=(0.25, 0.2, 0.2, 0.35),
    ),
    "desk": Mood(
        ((stands, 2.0), *_CHANGES, *_MEETINGS),
        Cast(stay=(4.0, 10.0), objects=0.55),
        pause=(1.6, 3.4),
        scenery=(0.4, 0.2, 0.15, 0.25),
    ),
}

_SEEDS: Final[dict[str, int]] = {name: 20_000_001 + n for n, name in enumerate(MOODS)}


def open_world(
    name: str = DEFAULT, seed: int | None = None, combinations: Combinations = "any"
) -> World:
    """The demo world called `name`.

    Args:
        name: one of `MOODS`.
        seed: which of its endless variants; without one, the same for everybody.
        combinations: which pairs of shape and colour, object and heading, may occur.

    Raises:
        ConfigError: if no world has this name, or the seed is negative.
    """
    if name not in MOODS:
        raise ConfigError(f"no demo world is called {name!r}; there are: {', '.join(MOODS)}")
    if seed is not None and seed < 0:
        raise ConfigError(f"a demo world's seed is not negative: {seed}")
    mood = MOODS[name]
    mood = replace(mood, cast=replace(mood.cast, combinations=combinations))
    return World(_SEEDS[name] if seed is None else seed, mood)
