"""Held-out scenes: stretches of demo worlds that no training has seen, and a camera's clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.random import Generator

from core.errors import ConfigError
from worlds.catalog import HELD_OUT, open_world
from worlds.questions.catalog import MAKERS, ask
from worlds.questions.moment import Moment, Question
from worlds.stories.cast import Combinations
from worlds.world import World

FRAMES: Final = 2  # of a temporal step
SEEDS: Final = 100  # sets of scenes that share no world
MOST: Final = 10_000  # scenes of a set
_PLACES: Final = 10  # kinds of scenes that share no world
_TASKS: Final = list(MAKERS)


@dataclass(frozen=True, slots=True)
class Scene:
    """A stretch of one world that a camera watches from its start; steps count from 0."""

    world: World
    url: str  # the demo camera that shows this world
    start: float  # seconds of world time, of the first frame
    steps: int  # temporal steps
    fps: float  # frames per second

    @property
    def step_seconds(self) -> float:
        """How long a temporal step is."""
        return FRAMES / self.fps

    def end(self, step: int) -> float:
        """World time of the newest frame of a step, seconds."""
        return self.start + (FRAMES * (step + 1) - 1) / self.fps

    def whole(self, step: int) -> float:
        """Camera time from which on a step is in memory, and no frame after it, seconds."""
        return (step + 1) * self.step_seconds

    def stamp(self, step: int) -> float:
        """What the engine writes before a step: the middle of its frames, seconds."""
        middle = step * self.step_seconds + (FRAMES - 1) / 2 / self.fps
        return float(f"{middle:.1f}")

    def shown(self, t: float) -> float:
        """The stamp of the step in which world time `t` first shows."""
        ends = self.start + (FRAMES * np.arange(1, self.steps + 1) - 1) / self.fps
        return self.stamp(min(int(np.searchsorted(ends, t)), self.steps - 1))

    def moment(self, step: int) -> Moment:
        """Where a watcher stands who has seen the scene up to this step."""
        return Moment(self.world, self.end(step), self.start, self.step_seconds, self.shown)

    def question(self, step: int, task: str, again: int = 0) -> Question | None:
        """The question of a kind that is asked after a step; the same every time.

        Args:
            step: the newest.
            task: a key of `worlds.questions.catalog.MAKERS`.
            again: another one.
        """
        seed = [self.world.seed, round(self.start * 100), step, _TASKS.index(task), again]
        return ask(self.moment(step), task, np.random.default_rng(seed))


@dataclass(frozen=True, slots=True)
class Posed:
    """A question and when it is put."""

    task: str
    step: int  # the newest one watched
    question: Question
    age: float | None = None  # seconds since what must be known was last to be seen; None: unknown


Drawn: TypeAlias = tuple[Scene, tuple[Posed, ...]]


def held_out(
    seed: int, place: int, moods: Sequence[str], combinations: Combinations = "any"
) -> Iterator[tuple[World, str, Generator]]:
    """Worlds beyond all that training uses, with their camera's address and a generator.

    Args:
        seed: another set, 0 to `SEEDS` - 1; sets share no world.
        place: which kind of scenes they are for; kinds share no world.
        moods: taken in turn.
        combinations: which pairs of shape and colour, object and heading, occur.

    Raises:
        ConfigError: if there is no such set.
    """
    if not 0 <= seed < SEEDS:
        raise ConfigError(f"--seed {seed}: 0 to {SEEDS - 1}")
    for number in range(MOST):
        mood = moods[number % len(moods)]
        world_seed = HELD_OUT + (seed * _PLACES + place) * MOST + number
        world = open_world(mood, world_seed, combinations)
        yield world, f"demo:{mood}?seed={world_seed}", np.random.default_rng([world_seed, 7])
