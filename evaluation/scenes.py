"""Held-out scenes: stretches of demo worlds that no training has seen, and questions about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from worlds.catalog import HELD_OUT, MOODS
from worlds.questions import Question, ask, clear
from worlds.world import World

STEP_SECONDS: Final = 0.5  # two frames at 4 per second
FRAME_SECONDS: Final = 0.25
_STEPS: Final = (6, 16)  # watched before the question
_WORLD_SECONDS: Final = 300.0
_ATTEMPTS: Final = 200


@dataclass(frozen=True, slots=True)
class Scene:
    """A stretch of one world that is watched, and what is asked at its end."""

    world: World
    mood: str
    start: float  # seconds of world time, of the first frame
    steps: int  # temporal steps watched
    questions: tuple[Question, ...]  # at most one of each task; each is asked alone

    @property
    def end(self) -> float:
        """World time of the frame after the last one watched."""
        return self.start + self.steps * STEP_SECONDS


def held_out(seed: int, count: int, tasks: Sequence[str]) -> Iterator[Scene]:
    """Scenes with world seeds beyond all that training uses.

    Args:
        seed: draws another set of scenes; sets of different seeds share no world.
        count: scenes, at most 10,000.
        tasks: kinds of questions to ask where the scene allows it.
    """
    if not 0 < count <= 10_000:
        raise ValueError(f"{count} scenes: 1 to 10,000")
    moods = list(MOODS)
    for number in range(count):
        world_seed = HELD_OUT + 10_000 * seed + number
        mood = moods[number % len(moods)]
        world = World(world_seed, MOODS[mood])
        yield _scene(world, mood, np.random.default_rng([world_seed, 7]), tasks)


def _scene(world: World, mood: str, rng: Generator, tasks: Sequence[str]) -> Scene:
    for _ in range(_ATTEMPTS):
        steps = int(rng.integers(_STEPS[0], _STEPS[1] + 1))
        start = round(float(rng.uniform(1, _WORLD_SECONDS)) / FRAME_SECONDS) * FRAME_SECONDS
        last = start + steps * STEP_SECONDS - FRAME_SECONDS
        if not clear(world, last):
            continue
        made = [ask(world, last, start, task, rng) for task in tasks]
        questions = tuple(question for question in made if question is not None)
        if questions:
            return Scene(world, mood, start, steps, questions)
    raise RuntimeError(f"world {world.seed} has no clear moment in {_ATTEMPTS} looks")
