"""An engine with cameras that are fed pictures straight from memory: no source, no network.

It is composed as `stream.compose` does: its steps are as long as they are measured to take.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.gpu.hearing import Heard
from benchmarks.gpu.remembered import watched
from benchmarks.report import Row
from core.errors import LookoutError
from core.frames import Frame, Segment
from engine.engine import Engine
from engine.jobs import MemoryHandle
from engine.limits import Limits
from engine.pace import StepPace
from engine.requests import Ask, Perceived
from engine.scheduler import Scheduler
from memory.policies.sink_window import SinkWindow
from memory.readers.reader import Reader
from memory.saving.state import MemoryState
from models.shapes import Drawn
from pruning.policy import PruningPolicy

PATIENCE_S = 120.0  # kernels may have to be compiled
QUESTION = "What did you see just now?"
_PICTURES = 8  # different ones, which cameras show in turn


@dataclass(frozen=True, slots=True)
class Load:
    """What a rig is made for.

    Args:
        cameras: most of them.
        answers: most given at once.
        capacity: tokens of each camera's memory.
        policy: which visual tokens are kept.
        budget: of visual tokens per temporal step.
        segment_steps: temporal steps of a segment at most.
        page: slots per page.
        prefill_tokens: of a step of the engine at most.
        encode_tokens: of a step of the engine at most.
        answer_tokens: most of an answer.
        step_ms: that a step of the engine shall take at most while somebody listens.
        graphs: whether forwards of single words are recorded.
    """

    cameras: int
    answers: int
    capacity: int
    policy: PruningPolicy
    budget: int
    segment_steps: int
    page: int
    prefill_tokens: int
    encode_tokens: int
    answer_tokens: int
    step_ms: float
    graphs: bool = True


class Rig:
    """A running engine and its cameras. Use as a context manager.

    Args:
        model: what watches.
        load: what for.
        reader: how attention reads pages.
        picture: side of the pictures, in pixels.
    """

    def __init__(self, model: Drawn, load: Load, reader: Reader, picture: int) -> None:
        self.model = model
        self.load = load
        limits = Limits(
            cameras=load.cameras,
            answers=load.answers,
            waiting=load.answers,
            capacity=load.capacity,
            prompt_tokens=256,
            answer_tokens=load.answer_tokens,
            segment_steps=load.segment_steps,
            page_size=load.page,
        )
        self._scheduler = Scheduler(
            load.prefill_tokens, load.encode_tokens, pace=StepPace(load.step_ms)
        )
        self.engine = Engine(model, limits, self._scheduler, reader, graphs=load.graphs)
        self.cameras: list[MemoryHandle] = []
        self._shown: list[tuple[int, float]] = []  # segments so far, and where the next one begins
        self._picture = picture
        self._pictures = _pictures(picture)

    def __enter__(self) -> Rig:
        self.engine.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self.engine.close(PATIENCE_S)
        self.cameras.clear()
        del self.engine  # and its pool, before another rig takes its room

    def open(self, cameras: int, restored: MemoryState | None = None) -> None:
        """Open more cameras until there are so many; wait until each can be fed.

        Args:
            cameras: in all.
            restored: what each new one remembers from the start; None: nothing.

        Raises:
            LookoutError: if a memory cannot be had.
        """
        while len(self.cameras) < cameras:
            told = _Told()
            load = self.load
            handle = self.engine.open_memory(
                load.policy, load.budget, SinkWindow(), told, restored=restored
            )
            self.cameras.append(handle)
            newest = None if restored is None else restored.newest
            self._shown.append((0, 0.0 if newest is None else newest + 1.0))
            told.wait()

    def remembered(self, seconds: float, fps: float) -> MemoryState:
        """What a camera holds after so long.

        Args:
            seconds: watched.
            fps: frames per second meanwhile.
        """
        side = max(1, round(self.model.step_tokens(self._picture, self._picture) ** 0.5))
        period = self.model.frames_per_step / fps
        return watched(
            self.model, seconds=seconds, period=period,
            budget=self.load.budget, side=side, room=self.load.capacity,
        )  # fmt: skip

    @property
    def pace(self) -> Row:
        """How long steps shall take, and what the engine has learnt that their parts take."""
        row: Row = {"step_ms": self.load.step_ms}
        if (cost := self._scheduler.cost) is not None:
            row |= {
                "ms_per_step": cost.step,
                "ms_per_word": cost.row,
                "us_per_prefilled_token": 1000 * cost.prefilled,
                "us_per_visual_token": 1000 * cost.encoded,
            }
        return row

    def segment(self, camera: int, steps: int, fps: float) -> Segment:
        """What a camera sees next.

        Args:
            camera: an open one.
            steps: temporal steps.
            fps: frames per second.
        """
        number, start = self._shown[camera]
        self._shown[camera] = number + 1, start + steps * self.model.frames_per_step / fps
        frames = tuple(
            Frame(start + n / fps, 0.0, self._pictures[(number + n) % len(self._pictures)])
            for n in range(steps * self.model.frames_per_step)
        )
        return Segment(number, frames)

    def perceive(
        self, camera: int, segment: Segment, told: Callable[[Perceived | LookoutError], None]
    ) -> None:
        """Hand a segment to the engine; `told` is called on its thread."""
        self.engine.perceive(self.cameras[camera], segment, told)

    def ask(self, camera: int, tokens: int) -> Heard:
        """Put a question; the answer is as long as that."""
        heard = Heard()
        self.engine.ask(self.cameras[camera], Ask(QUESTION, max_tokens=tokens), heard)
        return heard


class _Told:
    """Waits for the one thing that a camera is told."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._result: Perceived | LookoutError | None = None

    def __call__(self, result: Perceived | LookoutError) -> None:
        self._result = result
        self._over.set()

    def wait(self) -> None:
        if not self._over.wait(PATIENCE_S):
            raise TimeoutError("a camera's memory was not ready in time")
        if isinstance(self._result, LookoutError):
            raise self._result


def _pictures(side: int) -> list[NDArray[np.uint8]]:
    draw = np.random.default_rng(0)
    return [draw.integers(0, 256, (side, side, 3), dtype=np.uint8) for _ in range(_PICTURES)]
