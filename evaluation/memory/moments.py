"""Perception: what is in view now, asked again and again while a long scene goes on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from evaluation.memory.streams import FPS
from evaluation.scenes import Drawn, Posed, Scene, held_out

TASKS: Final = ("colour", "where", "count", "exist", "read", "direction")
STEPS: Final = 120  # of a scene
FIRST: Final = 39  # step that is asked after first: every memory of the usual size is full by then
EVERY: Final = 4  # steps between the moments at which a scene may be asked about
MOST: Final = 30  # questions of one scene
_PLACE: Final = 5  # among the kinds of held-out scenes
_MOODS: Final = ("desk", "objects", "shapes", "busy", "desk", "calm")
_LATEST: Final = 240.0  # seconds into the world


def now(seed: int) -> Iterator[Drawn]:
    """Scenes of two minutes with questions about what is in view, wherever that leaves no doubt.

    Args:
        seed: another set of scenes.
    """
    for world, url, rng in held_out(seed, _PLACE, _MOODS):
        start = round(float(rng.uniform(1, _LATEST)) * FPS) / FPS
        scene = Scene(world, url, start, STEPS, FPS)
        posed: list[Posed] = []
        for step in range(FIRST, STEPS, EVERY):
            made = ((task, scene.question(step, task)) for task in TASKS)
            posed += [Posed(task, step, found) for task, found in made if found is not None]
        if len(posed) > MOST:
            chosen = sorted(rng.choice(len(posed), MOST, replace=False).tolist())
            posed = [posed[place] for place in chosen]
        if posed:
            yield scene, tuple(posed)
