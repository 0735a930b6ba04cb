"""An engine on a virtual clock: the real scheduler and admission, steps that cost as told.

Cameras behave as `stream.cameras` does: one segment on its way, the next taken as soon as a
temporal step is whole, a bounded buffer, and the real ladder, which only watches here: what it
would give up is counted and not given up.
"""

from __future__ import annotations

import math
import random
from collections import deque
from dataclasses import dataclass, field

from core.errors import Overloaded
from engine.admission import Admission
from engine.demand import Room
from engine.limits import Limits
from engine.pace import Load, StepPace
from engine.scheduler import Scheduler, Waiting
from stream.cameras.ladder import Ladder, Overload

TARGET_S = 2.0
PER_STEP, MOST = 2, 4  # frames of a temporal step, and of a segment
BUFFER = 32  # frames
HOP_S = 0.0005  # from a segment's end until the camera has handed in the next


@dataclass(frozen=True)
class Truth:
    """What a step really takes, in milliseconds."""

    eye: float  # fixed, of a step that sees
    model: float  # fixed, of a step that reads
    encoded: float  # per visual token
    prefilled: float  # per token
    beside: float = 0.0  # that nobody times
    noise: float = 0.1  # relative, either way

    def timed(self, load: Load, dice: random.Random) -> float:
        eye = self.eye + self.encoded * load.encoded if load.encoded else 0.0
        model = self.model + self.prefilled * load.prefilled if load.prefilled else 0.0
        return (eye + model) * (1 + self.noise * dice.uniform(-1, 1))


@dataclass(eq=False)
class Job:
    number: int
    frames: list[float]  # when each arrived
    since: float
    encoded: int
    prefilled: int
    seen: bool = False
    left: int = 0


@dataclass(eq=False)
class Camera:
    number: int
    fps: float
    next_frame: float
    made: tuple[int, int]  # visual tokens and tokens of a temporal step
    frames: deque[float] = field(default_factory=deque)
    job: Job | None = None
    free_at: float = 0.0
    lost: int = 0
    lags: list[float] = field(default_factory=list)
    ladder: Ladder = field(default_factory=lambda: Ladder(Overload(TARGET_S, 3.0)))

    def due(self, now: float) -> None:
        """Take what has arrived, and make a segment of it if none is on its way."""
        while self.next_frame <= now:
            if len(self.frames) == BUFFER:
                self.frames.popleft()
                self.lost += 1
            self.frames.append(self.next_frame)
            self.next_frame += 1 / self.fps

    def wakes(self) -> float:
        """When its next segment is whole."""
        missing = PER_STEP - len(self.frames)
        return max(self.free_at, self.next_frame + (missing - 1) / self.fps if missing > 0 else 0.0)


class Simulated:
    """An engine with cameras on it."""

    def __init__(self, truth: Truth, *, seed: int = 0, together: bool = False) -> None:
        self.now = self.busy = 0.0
        self.cameras: list[Camera] = []
        self._truth, self._dice, self._together = truth, random.Random(seed), together
        self._scheduler = Scheduler(1024, 4096, StepPace(50.0))
        room = Room(1024, 4096, self._scheduler.full_ms, PER_STEP, MOST)
        self.admission = Admission(lambda: self._scheduler.costs, room, Limits().load, TARGET_S)
        self._jobs = 0

    def attach(self, fps: float, made: tuple[int, int], *, anyway: bool = False) -> bool:
        """Whether a camera was let in."""
        number = len(self.cameras) + 1
        try:
            self.admission.admit(number, fps, anyway=anyway)
        except Overloaded:
            return False
        phase = 0.0 if self._together else self._dice.random() / fps
        start = math.ceil(self.now * fps) / fps + phase  # all at the same moments, or at any
        self.cameras.append(Camera(number, fps, start, made))
        return True

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            if not self._step():
                self.now = max(self.now + 1e-6, min(camera.wakes() for camera in self.cameras))

    def forget(self) -> None:
        """Count from here on."""
        for camera in self.cameras:
            camera.lags.clear()
            camera.lost = 0

    def _step(self) -> bool:
        for camera in self.cameras:
            camera.due(self.now)
            if camera.job is None and camera.wakes() <= self.now:
                self._hand_in(camera)
        jobs = {c.job.number: (c, c.job) for c in self.cameras if c.job is not None}
        if not jobs:
            return False
        encodes = [Waiting(j.number, j.encoded, j.since, camera=c.number)
                   for c, j in jobs.values() if not j.seen]  # fmt: skip
        prefills = [Waiting(j.number, j.left, j.since, camera=c.number)
                    for c, j in jobs.values() if j.seen]  # fmt: skip
        plan = self._scheduler.plan([], prefills, encodes)
        load = Load(
            0, sum(n for _, n in plan.prefill), sum(jobs[n][1].encoded for n in plan.encode)
        )
        ms = self._truth.timed(load, self._dice)
        self._scheduler.note(load, ms)
        self._scheduler.took(ms + self._truth.beside)
        self.now += (ms + self._truth.beside) / 1000
        self.busy += (ms + self._truth.beside) / 1000
        for number in plan.encode:
            jobs[number][1].seen = True
        for number, tokens in plan.prefill:
            camera, job = jobs[number]
            job.left -= tokens
            if job.left == 0:
                self._remember(camera, job)
        return True

    def _hand_in(self, camera: Camera) -> None:
        steps = min(len(camera.frames), MOST) // PER_STEP
        frames = [camera.frames.popleft() for _ in range(PER_STEP * steps)]
        self._jobs += 1
        encoded, prefilled = (steps * tokens for tokens in camera.made)
        camera.job = Job(self._jobs, frames, self.now, encoded, prefilled, left=prefilled)

    def _remember(self, camera: Camera, job: Job) -> None:
        camera.job, camera.free_at = None, self.now + HOP_S
        camera.lags.append(self.now - job.frames[-1])
        camera.ladder.note(camera.lags[-1], self.now)
        self.admission.note(camera.number, len(job.frames), job.encoded, job.prefilled)
