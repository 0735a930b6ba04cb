"""Clips for training: some temporal steps of a world, what may be asked about them, and labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from training.architecture import PER_STEP, SIDE
from training.film import Film, Shot
from training.labels import NOTHING, kind, looks, named
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
from training.scenes import cover, frame_gap, training_world
from worlds.questions.catalog import MAKERS, ask
from worlds.questions.moment import Moment, Question, clear
from worlds.things import Event, Thing
from worlds.wording import NOW, STANDING
from worlds.world import World

_CLIPS_PER_WORLD: Final = 8  # a script costs more than a picture
_LATEST: Final = 100.0  # seconds into a world; later is no different
_EVENTFUL: Final = 0.4  # share of standing questions that are put when something happens
_TRIES: Final = 6  # steps looked at for a question of one task
_NAMES: Final = list(MAKERS)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What clips of a phase look like."""

    steps: tuple[int, int]  # temporal steps, least and most; one number per batch
    questions: int  # groups of questions per clip
    clips: int  # per batch of the longest; shorter clips come in larger batches
    weights: Mapping[str, float]  # of the tasks
    moods: Mapping[str, float]  # of the worlds
    size: int  # pixels per side of a frame
    budget: int = 18  # visual tokens per step that most clips keep on average
    second_turn: float = 0.12  # chance that a question follows another in the conversation
    decoupled: float = 0.25  # chance that a clip's questions and answers count from 0
    shrink: bool = True  # keep about as many visual tokens per batch whatever the length


@dataclass(frozen=True, slots=True)
class Batch:
    """Clips laid out, with the pictures to encode and the labels of the throw-away heads."""

    film: Film  # b * steps * 2 pictures
    memories: Memories
    questions: Questions
    counts: Tensor  # int64 [b * steps], visual tokens to keep
    chosen: Tensor  # bool [b], whether tokens are kept by score rather than by chance
    events: Tensor  # int64 [b * steps, 36]: what happened there in this step, 0 nothing
    news: Tensor  # int64 [b, steps, 3]: kind, colour and noun of what happened in each step
    newest: Tensor  # int64 [b, steps, 2]: colour and noun of what appeared last, 0 nothing
    words: Tensor  # int64 [b * steps, 36]: token that names what covers the cell
    digits: Tensor  # int64 [b * steps, 3]: tens, ones and tenths of the time shown with the step


class ClipMaker:
    """Makes batches of clips.

    Args:
        tongue: the tokenizer.
        recipe: what clips look like.
        deferred: leave the drawing to the device that learns.
    """

    def __init__(self, tongue: Tongue, recipe: Recipe, deferred: bool = False) -> None:
        self.tongue, self.recipe, self._deferred = tongue, recipe, deferred
        weights = np.array(list(recipe.weights.values()), dtype=float)
        self._tasks, self._chances = list(recipe.weights), weights / weights.sum()

    def batch(self, rng: Generator) -> Batch:
        """The next batch."""
        least, most = self.recipe.steps
        steps = int(rng.integers(least, most + 1))
        clips = self.recipe.clips
        if self.recipe.shrink:
            clips = max(1, round(clips * (most + 4) / (steps + 4)))
        moods = dict(self.recipe.moods)
        worlds = [training_world(rng, moods) for _ in range(-(-clips // _CLIPS_PER_WORLD))]
        made = [self._clip(rng, worlds[n // _CLIPS_PER_WORLD], steps) for n in range(clips)]
        rows = [one.row for one in made]
        shots = [shot for one in made for shot in one.shots]
        return Batch(
            film=Film.of(shots, self.recipe.size, self._deferred),
            memories=collate(self.tongue, rows, [one.watched.window for one in made]),
            questions=collate_questions(self.tongue, rows, [one.asked for one in made]),
            counts=torch.tensor([count for one in made for count in one.counts]),
            chosen=torch.from_numpy(rng.random(clips) < 0.85),
            events=torch.from_numpy(np.concatenate([one.watched.events() for one in made])),
            news=torch.from_numpy(np.stack([one.watched.news() for one in made])),
            newest=torch.from_numpy(np.stack([one.watched.newest() for one in made])),
            words=torch.from_numpy(np.concatenate([self._words(one.watched) for one in made])),
            digits=torch.from_numpy(np.concatenate([one.watched.digits() for one in made])),
        )

    def _clip(self, rng: Generator, world: World, steps: int) -> _Clip:
        while True:
            watched = _watch(rng, world, steps)
            asked = self._asked(rng, watched)
            if asked:
                break
        counts = _counts(rng, steps, self.recipe.budget)
        gap = 0 if rng.random() < 0.3 else int(30_000 * rng.random() ** 3)
        large = rng.random() < 0.2
        return _Clip(
            [Shot(world, float(t), large) for t in watched.times],
            remember(self.tongue, watched.clock.tolist(), counts, gap),
            counts,
            watched,
            asked,
        )

    def _asked(self, rng: Generator, watched: Watched) -> list[Asked]:
        decoupled = bool(rng.random() < self.recipe.decoupled)
        asked: list[Asked] = []
        for _ in range(5 * self.recipe.questions):
            if len(asked) == self.recipe.questions:
                break
            found = self._question(rng, watched)
            if found is not None:
                asked.append(self._turns(rng, watched, *found, decoupled))
        return asked

    def _question(self, rng: Generator, watched: Watched) -> tuple[int, Question, int] | None:
        """A question of a task drawn by its weight, at a step where it has a sure answer."""
        task = str(rng.choice(self._tasks, p=self._chances))
        for _ in range(_TRIES):
            step = watched.step_for(task, rng)
            words = int(rng.integers(1 << 30))  # asked again with them, it is the same question
            if step is not None:
                question = ask(watched.moment(step), task, np.random.default_rng(words))
                if question is not None:
                    return step, question, words
        return None

    def _words(self, watched: Watched) -> NDArray[np.int64]:
        """For each cell of each step the token of the noun that covers it, `SILENT` for none."""
        labels = np.full((watched.steps, PER_STEP), SILENT, dtype=np.int64)
        for step, (things, owner) in enumerate(watched.owners):
            t = float(watched.times[2 * step + 1])
            for number, thing in enumerate(things):
                labels[step, owner == number] = self.tongue.noun(thing.look(t).noun)
        return labels

    def _turns(
        self,
        rng: Generator,
        watched: Watched,
        step: int,
        question: Question,
        words: int,
        decoupled: bool,
    ) -> Asked:
        """A question, at times after another: of now, or the same one put at an earlier step."""
        turns, judged = [(question.text, question.answer)], 0
        if question.task in NOW and rng.random() < self.recipe.second_turn:
            then = int(rng.integers(0, step + 1))
            first = np.random.default_rng(words) if then < step else rng
            before = ask(watched.moment(then), question.task, first)
            if before is not None:
                turns = [(before.text, before.answer), *turns]
                judged = int(then < step)
        alone = len(turns) == 1
        return Asked(
            step + 1,
            tuple(turns),
            judged,
            watched.cells(question, step) if alone else (),
            named(question.text) if alone else (SILENT, SILENT),
            decoupled,
            _NAMES.index(question.task),
        )


@dataclass
class Watched:
    """A stretch of a world as a watcher remembers it."""

    world: World
    times: NDArray[np.float64]  # [steps * 2] seconds, of the frames
    clock: NDArray[np.float64]  # [steps] seconds, shown with each step
    window: int  # steps that memory holds
    owners: list[tuple[list[Thing], NDArray[np.int64]]] = field(init=False)  # what covers each cell

    def __post_init__(self) -> None:
        ends = self.times[1::2]
        things = [self.world.things(float(t)) for t in ends]
        self.owners = [
            (present, cover(present, float(t), SIDE))
            for present, t in zip(things, ends, strict=True)
        ]

    @property
    def steps(self) -> int:
        """Temporal steps."""
        return len(self.clock)

    def moment(self, step: int) -> Moment:
        """The end of a step, from 0."""
        since = self.times[2 * max(0, step - self.window + 1)]
        length = self.times[2 * step + 1] - self.times[2 * step - 1] if step else 0.5
        return Moment(self.world, float(self.times[2 * step + 1]), float(since), length, self.shown)

    def shown(self, t: float) -> float:
        """What the clock showed at the first step that ended at or after `t`."""
        step = int(np.searchsorted(self.times[1::2], t))
        return float(self.clock[min(step, self.steps - 1)])

    def step_for(self, task: str, rng: Generator) -> int | None:
        """A step at which such a question is worth asking, from 0."""
        if task in STANDING:
            if self.steps < 2:
                return None
            events = self.world.events(float(self.times[1]), float(self.times[-1]))
            if events and rng.random() < _EVENTFUL:
                t = events[int(rng.integers(len(events)))].t
                return min(int(np.searchsorted(self.times[1::2], t, side="right")), self.steps - 1)
            return int(rng.integers(1, self.steps))
        if task in NOW:
            step = self.steps - 1 if rng.random() < 0.3 else int(rng.integers(self.steps))
            return step if clear(self.world, float(self.times[2 * step + 1])) else None
        return int(rng.integers(self.steps // 2, self.steps))

    def cells(self, question: Question, step: int) -> tuple[int, ...]:
        """Where what must be looked at is seen.

        Now, or at any step that is remembered; of a question for a time, at the step whose time is
        the answer, or where it is not seen any more, at the one before.
        """
        about = {_key(thing) for thing in question.about}
        if not about:
            return ()
        if question.at is not None:
            asked = int(np.argmin(np.abs(self.clock - question.at)))
            return self._cover(about, asked) or self._cover(about, max(0, asked - 1))
        first = step if question.task in NOW else max(0, step - self.window + 1)
        return tuple(cell for s in range(first, step + 1) for cell in self._cover(about, s))

    def _cover(self, about: set[tuple[float, float]], step: int) -> tuple[int, ...]:
        """Cells of all steps, step * 36 + cell, that these things cover at one."""
        things, owner = self.owners[step]
        meant = [n for n, thing in enumerate(things) if _key(thing) in about]
        cells = np.flatnonzero(np.isin(owner, meant)) + step * PER_STEP
        return tuple(cells.tolist())

    def events(self) -> NDArray[np.int64]:
        """For each cell of each step what happened to what covers it, or covered it just before.

        Returns:
            a number of `labels.kind`, 0 where a thing is to which nothing happened, `SILENT` where
            nothing is.
        """
        labels = np.full((self.steps, PER_STEP), SILENT, dtype=np.int64)
        for step in range(1, self.steps):
            (gone, before), (things, owner) = self.owners[step - 1 : step + 1]
            happened = {_key(event.thing): kind(event.kind) for event in self._during(step)}
            for number, thing in enumerate(gone):
                free = (before == number) & (owner == -1)
                labels[step, free] = happened.get(_key(thing), SILENT)
            for number, thing in enumerate(things):
                if thing.seen(float(self.times[2 * step + 1])) and not thing.helper:
                    labels[step, owner == number] = happened.get(_key(thing), 0)
        return labels

    def news(self) -> NDArray[np.int64]:
        """For each step kind, colour and noun of what happened in it; `SILENT` of several."""
        labels = np.full((self.steps, 3), SILENT, dtype=np.int64)
        for step in range(1, self.steps):
            happened = self._during(step)
            if not happened:
                labels[step] = 0, SILENT, SILENT
            elif len(happened) == 1:
                event = happened[0]
                labels[step] = kind(event.kind), *looks(event.thing.look(event.t))
        return labels

    def _during(self, step: int) -> list[Event]:
        return self.world.events(float(self.times[2 * step - 1]), float(self.times[2 * step + 1]))

    def digits(self) -> NDArray[np.int64]:
        """For each step tens, ones and tenths of the time shown with it."""
        tenths = np.round(self.clock * 10).astype(np.int64)
        return np.stack([tenths // 100 % 10, tenths // 10 % 10, tenths % 10], axis=1)

    def newest(self) -> NDArray[np.int64]:
        """For each step the colour and noun of what appeared last, as far as memory goes back."""
        labels = np.full((self.steps, 2), SILENT, dtype=np.int64)
        for step in range(1, self.steps):
            came = self.moment(step).past("appeared")
            if came is not None and (len(came) < 2 or came[-1].t - came[-2].t > 0.6):
                labels[step] = looks(came[-1].thing.look(came[-1].t)) if came else NOTHING
        return labels


@dataclass(frozen=True, slots=True)
class _Clip:
    shots: list[Shot]
    row: Remembered
    counts: list[int]
    watched: Watched
    asked: list[Asked]


def _key(thing: Thing) -> tuple[float, float]:
    return thing.born, thing.track.x[0]


def _watch(rng: Generator, world: World, steps: int) -> Watched:
    """A stretch at a random time, watched at a random rate."""
    window = steps if rng.random() < 0.6 else int(rng.integers(min(3, steps), steps + 1))
    start = float(rng.uniform(0.5, _LATEST))
    gaps = rng.uniform(0.85, 1.15, 2 * steps) * frame_gap(rng)
    times = start + np.cumsum(gaps) - gaps[0]
    begin = _clock(rng) - (start if rng.random() < 0.5 else 0)
    clock = np.maximum(0.0, begin + times.reshape(-1, 2).mean(1))
    return Watched(world, times, np.round(clock, 1), window)


def _counts(rng: Generator, steps: int, usual: int) -> list[int]:
    """Visual tokens kept per step, about as the policies spend a budget."""
    kind = rng.random()
    if kind < 0.15:
        return [PER_STEP] * steps
    budget = usual if kind < 0.65 else int(rng.integers(2 * usual // 3, PER_STEP + 1))
    spread = 0.45 if rng.random() < 0.6 else 0.0
    counts = budget * np.exp(spread * rng.standard_normal(steps))
    return [int(c) for c in np.clip(np.round(counts), usual // 3, PER_STEP)]


def _clock(rng: Generator) -> float:
    """What the camera's clock says when the clip starts: mostly minutes, at times days."""
    kind = rng.random()
    if kind < 0.5:
        return 0.0
    return float(rng.uniform(0, 600) if kind < 0.85 else 10 ** rng.uniform(2, 6))
