"""The demo worlds by name: what `demo:NAME` opens."""

from __future__ import annotations

from typing import Final

from core.errors import ConfigError
from worlds.script import Mood
from worlds.world import World

DEFAULT: Final = "shapes"
HELD_OUT: Final = 10_000_000  # worlds with seeds from here on are never trained on

MOODS: Final[dict[str, Mood]] = {
    "shapes": Mood(),
    "calm": Mood(pause=(4.5, 9.0), stay=(10.0, 25.0), moving=0.35, speed=(0.11, 0.18)),
    "busy": Mood(pause=(1.2, 2.6), stay=(3.0, 8.0), moving=0.75, speed=(0.15, 0.26)),
}

_SEEDS: Final[dict[str, int]] = {"shapes": 20_000_001, "calm": 20_000_002, "busy": 20_000_003}


def open_world(name: str = DEFAULT, seed: int | None = None) -> World:
    """The demo world called `name`.

    Args:
        name: one of `MOODS`.
        seed: which of its endless variants; without one, the same for everybody.

    Raises:
        ConfigError: if no world has this name, or the seed is negative.
    """
    if name not in MOODS:
        raise ConfigError(f"no demo world is called {name!r}; there are: {', '.join(MOODS)}")
    if seed is not None and seed < 0:
        raise ConfigError(f"a demo world's seed is not negative: {seed}")
    return World(_SEEDS[name] if seed is None else seed, MOODS[name])
