"""Clips for training: some temporal steps of a world, what may be asked about them, and labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from training.architecture import PER_STEP, SIDE
from training.layout import (
    SILENT,
    Asked,
    Memories,
    Questions,
    Remembered,
    Tongue,
    collate,
    collate_questions,
    remember,
)
from training.scenes import FRAME_GAP, cover, draw, training_world
from worlds.questions import Question, ask, clear, last_appeared
from worlds.vocabulary import COLOURS, SHAPES
from worlds.wording import plural
from worlds.world import World

_STEP: Final = 2 * FRAME_GAP
_CLIPS_PER_WORLD: Final = 8  # a script costs more than a picture
_LATEST: Final = 100.0  # seconds into a world; later is no different


@dataclass(frozen=True, slots=True)
class Recipe:
    """What clips of a phase look like."""

    steps: tuple[int, int]  # temporal steps, least and most; one number per batch
    questions: int  # groups of questions per clip
    clips: int  # per batch of the longest; shorter clips come in larger batches
    weights: Mapping[str, float]  # of the tasks
    second_turn: float = 0.1  # chance that a question follows another in the conversation
    shrink: bool = True  # keep about as many visual tokens per batch whatever the length


@dataclass(frozen=True, slots=True)
class Batch:
    """Clips laid out, with the pictures to encode and the labels of the throw-away heads."""

    frames: Tensor  # uint8 [b * steps * 2, 96, 96, 3]
    memories: Memories
    questions: tuple[Questions, ...]
    counts: Tensor  # int64 [b * steps], visual tokens to keep
    chosen: Tensor  # bool [b], whether tokens are kept by score rather than by chance
    fresh: Tensor  # int64 [b * steps, 36]: 1 what came into view with this step, 0 was there
    newest: Tensor  # int64 [b, steps, 2]: colour and shape of what appeared last, 0 nothing


class ClipMaker:
    """Makes batches of clips.

    Args:
        tongue: the tokenizer.
        recipe: what clips look like.
    """

    def __init__(self, tongue: Tongue, recipe: Recipe) -> None:
        self.tongue, self.recipe = tongue, recipe
        weights = np.array(list(recipe.weights.values()), dtype=float)
        self._tasks, self._chances = list(recipe.weights), weights / weights.sum()

    def batch(self, rng: Generator) -> Batch:
        """The next batch."""
        least, most = self.recipe.steps
        steps = int(rng.integers(least, most + 1))
        clips = self.recipe.clips
        if self.recipe.shrink:
            clips = max(1, round(clips * (most + 4) / (steps + 4)))
        worlds = [training_world(rng) for _ in range(-(-clips // _CLIPS_PER_WORLD))]
        made = [self._clip(rng, worlds[n // _CLIPS_PER_WORLD], steps) for n in range(clips)]
        rows = [one.row for one in made]
        return Batch(
            frames=torch.from_numpy(np.concatenate([one.frames for one in made])),
            memories=collate(self.tongue, rows, [one.window for one in made]),
            questions=collate_questions(self.tongue, rows, [one.asked for one in made]),
            counts=torch.tensor([count for one in made for count in one.counts]),
            chosen=torch.from_numpy(rng.random(clips) < 0.85),
            fresh=torch.from_numpy(np.concatenate([one.fresh for one in made])),
            newest=torch.from_numpy(np.stack([one.newest for one in made])),
        )

    def _clip(self, rng: Generator, world: World, steps: int) -> _Clip:
        window = steps if rng.random() < 0.6 else int(rng.integers(min(3, steps), steps + 1))
        while True:
            start = float(rng.uniform(0.5, _LATEST))
            gaps = rng.uniform(0.85, 1.15, 2 * steps) * FRAME_GAP
            times = start + np.cumsum(gaps) - gaps[0]
            asked = self._asked(rng, world, times, window)
            if asked:
                break
        counts = _counts(rng, steps)
        shown = _clock(rng) + times.reshape(-1, 2).mean(1) - (start if rng.random() < 0.5 else 0)
        gap = 0 if rng.random() < 0.3 else int(30_000 * rng.random() ** 3)
        large = rng.random() < 0.3
        return _Clip(
            np.stack([draw(world, float(t), large) for t in times]),
            remember(self.tongue, [max(0.0, t) for t in shown], counts, gap),
            counts,
            window,
            asked,
            _fresh(world, times),
            _newest(world, times, window),
        )

    def _asked(
        self, rng: Generator, world: World, times: NDArray[np.float64], window: int
    ) -> list[Asked]:
        steps = len(times) // 2
        good = [s for s in range(steps) if clear(world, times[2 * s + 1])]
        asked: list[Asked] = []
        for _ in range(3 * self.recipe.questions):
            if not good or len(asked) == self.recipe.questions:
                break
            step = good[-1] if rng.random() < 0.3 else good[int(rng.integers(len(good)))]
            turns = [self._question(rng, world, times, step, window)]
            if rng.random() < self.recipe.second_turn:
                turns.append(self._question(rng, world, times, step, window))
            sure = [question for question in turns if question is not None]
            if sure:
                asked.append(_asked_at(sure, world, step, times[2 * step + 1]))
        return asked if len(asked) == self.recipe.questions else []

    def _question(
        self, rng: Generator, world: World, times: NDArray[np.float64], step: int, window: int
    ) -> Question | None:
        task = str(rng.choice(self._tasks, p=self._chances))
        since = times[2 * max(0, step - window + 1)]
        return ask(world, times[2 * step + 1], since, task, rng)


@dataclass(frozen=True, slots=True)
class _Clip:
    frames: NDArray[np.uint8]
    row: Remembered
    counts: list[int]
    window: int
    asked: list[Asked]
    fresh: NDArray[np.int64]
    newest: NDArray[np.int64]


def _asked_at(questions: list[Question], world: World, step: int, t: float) -> Asked:
    """Questions about time `t`, with what the only one of them means, by its words."""
    turns = tuple((question.text, question.answer) for question in questions)
    if len(questions) > 1:
        return Asked(step + 1, turns)
    words = set(re.findall(r"[a-z]+", questions[0].text.lower()))
    shapes = {shape for shape in SHAPES if words & {shape, plural(shape)}}
    colours = words & set(COLOURS)
    names = (_first(colours, list(COLOURS)), _first(shapes, list(SHAPES)))
    if not any(names) and questions[0].task != "count":
        return Asked(step + 1, turns, names=names)
    things = world.things(t)
    meant = [
        number
        for number, thing in enumerate(things)
        if thing.seen(t) and {thing.shape} >= shapes and {thing.colour} >= colours
    ]
    shown = np.isin(cover(things, t, SIDE), meant)
    return Asked(step + 1, turns, tuple(shown.tolist()), names)


def _first(words: set[str], every: list[str]) -> int:
    """The place of the only word, from 1; 0 if there is none."""
    return every.index(next(iter(words))) + 1 if words else 0


def _counts(rng: Generator, steps: int) -> list[int]:
    """Visual tokens kept per step, about as the policies spend a budget."""
    kind = rng.random()
    if kind < 0.15:
        return [PER_STEP] * steps
    budget = 18 if kind < 0.65 else int(rng.integers(12, PER_STEP + 1))
    spread = 0.45 if rng.random() < 0.6 else 0.0
    counts = budget * np.exp(spread * rng.standard_normal(steps))
    return [int(c) for c in np.clip(np.round(counts), 6, PER_STEP)]


def _clock(rng: Generator) -> float:
    """What the camera's clock says when the clip starts: mostly minutes, at times days."""
    kind = rng.random()
    if kind < 0.4:
        return 0.0
    return float(rng.uniform(0, 3600) if kind < 0.7 else 10 ** rng.uniform(2, 6))


def _fresh(world: World, times: NDArray[np.float64]) -> NDArray[np.int64]:
    """For each token of each step whether what covers it came into view with this step."""
    labels = np.full((len(times) // 2, PER_STEP), SILENT, dtype=np.int64)
    for step in range(1, len(labels)):
        before, now = times[2 * step - 1], times[2 * step + 1]
        things = world.things(now)
        owner = cover(things, now, SIDE)
        for number, thing in enumerate(things):
            if thing.seen(now):
                labels[step, owner == number] = int(before < thing.appears <= now)
    return labels


def _newest(world: World, times: NDArray[np.float64], window: int) -> NDArray[np.int64]:
    """For each step the colour and shape of what appeared last, as far as memory goes back."""
    labels = np.full((len(times) // 2, 2), SILENT, dtype=np.int64)
    for step in range(1, len(labels)):
        since, now = times[2 * max(0, step - window + 1)], times[2 * step + 1]
        sure, thing = last_appeared(world, now, since)
        if sure:
            labels[step] = _looks(thing.colour, thing.shape) if thing else (0, 0)
    return labels


def _looks(colour: str, shape: str) -> tuple[int, int]:
    return list(COLOURS).index(colour) + 1, list(SHAPES).index(shape) + 1
