"""A long stream as a memory meets it: when it is looked at, what it shows, and what is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from evaluation.responders import Excerpt
from evaluation.scenes import Drawn
from worlds.questions.moment import Question

SIZE: Final = (192, 192)  # of the pictures: the model looks at them at half of this
FPS: Final = 2.0  # of a step's two frames; one of the rates of training
STEP: Final = 2 / FPS  # seconds of a temporal step

Picture: TypeAlias = Callable[[float], NDArray[np.uint8]]
"""What is shown so many seconds after the stream's start, RGB [h, w, 3]."""


@dataclass(frozen=True, slots=True)
class Put:
    """A question and after which step it is put.

    Args:
        step: number of the newest one watched.
        task: kind of the question.
        text: of it.
        truth: the only right answer.
        age: seconds since what must be known was last to be seen; None for now.
        lasted: seconds that it had been in view by then, as it was asked about.
        gap: seconds between the end of the stretch that shows it and the question; None where
            nothing was put between.
    """

    step: int
    task: str
    text: str
    truth: str
    age: float | None = None
    lasted: float = 0.0
    gap: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """What is watched.

    Args:
        name: says which world from when on; unique within a suite.
        picture: what is shown.
        steps: when each temporal step begins, seconds, rising by `STEP` at least; where they rise
            by more nobody looks in between.
        puts: questions, by step.
    """

    name: str
    picture: Picture
    steps: tuple[float, ...]
    puts: tuple[Put, ...]

    @property
    def moments(self) -> tuple[int, ...]:
        """Steps after which something is asked, rising."""
        return tuple(sorted({put.step for put in self.puts}))

    def asked(self, step: int) -> float:
        """Stream time of the newest frame when questions are put after a step, seconds."""
        return self.steps[step] + 1 / FPS


def lasted(question: Question, start: float) -> float:
    """Seconds from when what is asked about looked as it did last until it was gone.

    Args:
        question: of `worlds.questions.past.recall`.
        start: world time from which on somebody watched, seconds.
    """
    thing = question.about[0]
    return thing.leaves - max(thing.appears, thing.looks[-1][0], start)


def of_scene(drawn: Drawn, *, aged: bool) -> Stream:
    """A scene that is watched without a break.

    Args:
        drawn: the scene, of `FPS` frames per second, and its questions.
        aged: whether the questions are about the past.
    """
    scene, posed = drawn
    if scene.fps != FPS:
        raise ValueError(f"a scene of {scene.fps} frames per second, not {FPS}")
    world = Excerpt(scene)
    puts = tuple(
        Put(
            one.step,
            one.task,
            one.question.text,
            one.question.answer,
            one.age if aged else None,
            lasted(one.question, scene.start) if one.task == "recall" else 0.0,
        )
        for one in posed
    )
    steps = tuple(STEP * number for number in range(1 + max(put.step for put in puts)))
    return Stream(f"{scene.url}&from={scene.start:g}", lambda t: world.frame(t, SIZE), steps, puts)
