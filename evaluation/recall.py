"""Long scenes, held in memory as a whole: what is asked about may be a minute old."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from evaluation.scenes import Drawn, Posed, Scene, held_out
from worlds.questions.moment import Question
from worlds.wording import say_fate

FPS: Final = 2.0
STEPS: Final = (24, 64)  # of a second each
AGES: Final = (16.0, 32.0, 64.0)  # upper bounds of the ages that are reported apart, seconds
TASKS: Final = ("recall", "when", "order", "happened")
_MOODS: Final = ("desk", "calm", "desk", "objects", "shapes")
_EVERY: Final = 8  # steps between the moments at which a scene is asked about
_TRIES: Final = 6  # for different questions of a task at one moment
_EACH: Final = 2  # questions of a task at one moment
_LATEST: Final = 240.0  # seconds into the world


def long_ago(seed: int, tasks: Sequence[str]) -> Iterator[Drawn]:
    """Scenes of 24 to 64 s with questions every 8 s from the 24th second on.

    No question is asked twice of a scene.

    Args:
        seed: another set of scenes.
        tasks: kinds of questions to ask where the scene allows it.
    """
    for world, url, rng in held_out(seed, 2, _MOODS):
        steps = int(rng.choice(range(STEPS[0], STEPS[1] + 1, _EVERY)))
        start = round(float(rng.uniform(1, _LATEST)) * FPS) / FPS
        scene = Scene(world, url, start, steps, FPS)
        moments = range(STEPS[0] - 1, steps, _EVERY)
        posed: dict[str, Posed] = {}
        for step in moments:
            for task in tasks:
                for one in _posed(scene, step, task):
                    posed.setdefault(one.question.text, one)
        if posed:
            yield scene, tuple(posed.values())


def _posed(scene: Scene, step: int, task: str) -> list[Posed]:
    found: dict[str, Posed] = {}
    for again in range(_TRIES):
        question = scene.question(step, task, again)
        if question is not None and len(found) < _EACH:
            age = _age(scene, step, question)
            found.setdefault(question.text, Posed(task, step, question, age))
    return list(found.values())


def _age(scene: Scene, step: int, question: Question) -> float:
    """Seconds since what must be known happened, or was last to be seen."""
    thing, now = question.about[0], scene.end(step)
    if question.at is not None:
        return now - scene.start - question.at
    if question.task == "order":
        return now - thing.appears
    if question.task == "happened":
        fates = [e for e in thing.events if say_fate(e.kind, e.detail) == question.answer]
        return now - max(event.t for event in fates if event.t <= now)
    return now - thing.leaves
