"""How cameras are watched: what the composition root makes of the settings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from core.frames import Segment
from core.kept import KeptStep
from engine.recalling import Recalling
from engine.selecting import Selecting
from memory.policies.policy import MemoryPolicy
from pruning.policy import PruningPolicy
from stream.cameras.ladder import Overload

Gate = Callable[[float], Awaitable[None]]  # called with the pts of each frame before it is taken
# Told of each segment and of the steps that entered memory with it; None: the end of the stream.
Witness = Callable[[Segment | None, tuple[KeptStep, ...]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Watching:
    """How cameras are watched; one for all of them."""

    fps: float
    buffer_frames: int
    max_steps: int
    cut_threshold: float
    policy: PruningPolicy
    budget: int  # visual tokens per temporal step
    eviction: MemoryPolicy
    max_question_chars: int
    stale_after_s: float
    selecting: Selecting | None = None  # how answers choose what they read; None: all in memory
    recalling: Recalling | None = None  # how what memory gives up is kept; None: it is lost
    overload: Overload | None = None  # when something is given up; None: never
    anyway: bool = False  # whether it is watched however little time the others leave
