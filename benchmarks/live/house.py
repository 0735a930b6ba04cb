"""The product alone: cameras in real time, in one process, first unasked, then asked all the time.

The ratio of the two rates of frames into memory is the figure; 1 is perfect.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Final

from benchmarks.quantiles import quantile
from benchmarks.report import Row
from core.frames import Frame, Segment
from core.kept import KeptStep
from stream.cameras.answer import AnswerResult, Question
from stream.cameras.camera import Camera
from stream.cameras.registry import Cameras
from stream.cameras.view import CameraView
from stream.compose import open_house
from stream.settings import Settings
from stream.sources import open_source

PATIENCE: Final = 5.0  # times the seconds of a phase that are given to too few answers
QUESTIONS: Final = ("What do you see?", "How many objects are there?", "What appeared last?")


@dataclass(frozen=True, slots=True)
class Asking:
    """How much is asked.

    Args:
        askers: conversations that ask at once, each of the next camera in turn.
        questions: answered at least, before asking ends.
        seconds: of each of the two phases; `PATIENCE` times as long at most for the questions.
    """

    askers: int
    questions: int
    seconds: float

    def goes_on(self, elapsed_s: float, answers: int) -> bool:
        """Whether to ask once more, so long after the first question and with so many answers."""
        enough = answers >= self.questions
        return elapsed_s < self.seconds * (1 if enough else 1 + PATIENCE)


class Witnessed:
    """Notes when each frame of one camera came into memory. Touched on the event loop only.

    The camera's own clock says when a frame was due: the frame that came soonest sets it.
    """

    def __init__(self, frames_per_step: int, fps: float) -> None:
        self.frames_per_step = frames_per_step
        self._fps = fps
        self._waiting: deque[Frame] = deque()
        self._soonest = inf  # monotonic time at stream second 0
        self.entered: list[tuple[float, float]] = []  # stream second due, monotonic time entered
        self.changed = asyncio.Event()

    async def __call__(self, segment: Segment | None, steps: tuple[KeptStep, ...]) -> None:
        """A camera's witness."""
        now = time.monotonic()
        for frame in segment.frames if segment is not None else ():
            self._waiting.append(frame)
            self._soonest = min(self._soonest, frame.arrived - frame.pts)
        for step in steps:
            last = step.time + 0.75 / self._fps  # a step's time is the middle of its frames
            own = []
            while self._waiting and self._waiting[0].pts <= last:
                own.append(self._waiting.popleft())
            self.entered += [(own[-1].pts, now)] * len(own)
        self.changed.set()

    def since(self, began: float, ended: float) -> list[float]:
        """By how many seconds frames due in a stretch of time came after they were due."""
        return [
            entered - self._soonest - due
            for due, entered in self.entered
            if began <= self._soonest + due < ended
        ]

    async def moved(self) -> tuple[int, float]:
        """Frames in memory when the next ones have just come in, and when that was."""
        count = len(self.entered)
        while len(self.entered) == count:
            self.changed.clear()
            await self.changed.wait()
        return len(self.entered), self.entered[-1][1]


async def measure(
    settings: Settings,
    *,
    url: str,
    cameras: int,
    fps: float | None,
    asking: Asking,
    slack_s: float,
) -> Row:
    """One row.

    Args:
        settings: of the server, with room for the cameras.
        url: what each camera watches.
        cameras: how many.
        fps: of each; None: as configured.
        asking: how much is asked, and how long each phase is.
        slack_s: by how much more than a sampling interval a frame may come late.
    """
    rate = fps or settings.sampling.fps
    results: list[AnswerResult] = []
    async with (
        open_house(settings) as house,
        _watched(house.cameras, url, cameras, rate, house.model.frames_per_step) as watched,
    ):
        seen = list(watched.values())
        idle = await _phase(seen, lambda: asyncio.sleep(asking.seconds), rate, slack_s)
        ask = partial(_ask, list(watched), asking, results)
        answering = await _phase(seen, ask, rate, slack_s)
        views = [camera.view() for camera in watched]
    settled = {"cameras": cameras, "fps": rate, "askers": asking.askers}
    return {"source": views[0].url} | settled | _figures(idle, answering, views, results)


def _figures(
    idle: dict[str, float],
    answering: dict[str, float],
    views: Sequence[CameraView],
    results: Sequence[AnswerResult],
) -> Row:
    ttft = [result.ttft_ms for result in results if result.ttft_ms is not None]
    speaking = [result.tokens_per_s for result in results if result.tokens_per_s is not None]
    return {
        "frames_per_s_idle": idle["frames_per_s"],
        "frames_per_s_answering": answering["frames_per_s"],
        "ratio": answering["frames_per_s"] / idle["frames_per_s"],
        "frames_due_answering": answering["due"],
        "frames_late_answering": answering["late"],
        "late_percent_idle": idle["late_percent"],
        "late_percent_answering": answering["late_percent"],
        "frames_dropped": sum(view.frames_dropped for view in views),
        "lag_p95_ms": max((view.lag_p95_ms or 0.0) for view in views),
        "answers": len(results),
        "ttft_p50_ms": quantile(ttft, 0.5),
        "ttft_p95_ms": quantile(ttft, 0.95),
        "tokens_per_s_p50": quantile(speaking, 0.5),
        "cpu_s_per_s_idle": idle["cpu_per_s"],
        "cpu_s_per_s_answering": answering["cpu_per_s"],
        "memory_bytes": sum(view.memory_bytes for view in views),
    }


@asynccontextmanager
async def _watched(
    registry: Cameras, url: str, count: int, fps: float, frames_per_step: int
) -> AsyncIterator[dict[Camera, Witnessed]]:
    """So many cameras, each with something in memory, and what is noted of them."""
    watched = {}
    for number in range(count):
        seen = Witnessed(frames_per_step, fps)
        camera = await registry.attach(
            f"bench-{number + 1}",
            lambda: open_source(url),
            url=url,
            fps=fps,
            witness=seen,
            anyway=True,
        )
        watched[camera] = seen
    for seen in watched.values():
        await seen.moved()
    yield watched


async def _phase(
    seen: Sequence[Witnessed], work: Callable[[], Awaitable[None]], fps: float, slack_s: float
) -> dict[str, float]:
    """What became of the frames while some work was done.

    Rates are taken from one moment at which frames came in to another, camera by camera.
    """
    before = [await one.moved() for one in seen]
    began, cpu = time.monotonic(), time.process_time()
    await work()
    ended, cpu = time.monotonic(), time.process_time() - cpu
    after = [await one.moved() for one in seen]
    allowed = 1 / fps + slack_s
    await asyncio.sleep(allowed)  # for those due last
    due = in_time = 0
    for one in seen:
        late = one.since(began, ended)
        # Lost frames are never seen: at least as many whole steps were due as the clock says.
        steps = int((ended - began) * fps / one.frames_per_step)
        due += max(steps * one.frames_per_step, len(late))
        in_time += sum(seconds <= allowed for seconds in late)
    rates = [(b - a) / (t - s) for (a, s), (b, t) in zip(before, after, strict=True)]
    return {
        "frames_per_s": sum(rates) / len(rates),
        "due": due,
        "late": due - in_time,
        "late_percent": 100 * (due - in_time) / max(1, due),
        "cpu_per_s": cpu / (ended - began),
    }


async def _ask(cameras: Sequence[Camera], asking: Asking, results: list[AnswerResult]) -> None:
    began = time.monotonic()

    async def asker(number: int) -> None:
        while asking.goes_on(time.monotonic() - began, len(results)):
            camera = cameras[number % len(cameras)]
            async with camera.ask(Question(QUESTIONS[number % len(QUESTIONS)])) as answer:
                async for _ in answer:
                    pass
            assert answer.result is not None
            results.append(answer.result)
            number += 1

    async with asyncio.TaskGroup() as group:
        for number in range(asking.askers):
            group.create_task(asker(number))
