"""What `lookout eval embedded` measures: which scenes, which questions, which memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from evaluation import recall, recent, standing
from worlds.wording import NOW, PAST, STANDING


@dataclass(frozen=True, slots=True)
class Footage:
    """Scenes of one kind, and how a camera watches them.

    Args:
        draw: scenes of a seed with questions of some tasks, or with vigils.
        fps: frames per second.
        scenes: how many without `--limit`.
        dark: of how many scenes the questions are also put after black video; more say little more.
        settings: KEY=VALUE, where the defaults will not do.
    """

    draw: Callable[[int, Sequence[str]], Iterator[tuple[Any, Any]]]
    fps: float
    scenes: int
    dark: int
    settings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Suite:
    """Questions about some footage that are reported together.

    Args:
        tasks: kinds of questions.
        footage: what is watched; suites that share it are measured on one playing.
        ages: upper bounds of the ages of evidence that are reported apart, seconds.
    """

    tasks: Sequence[str]
    footage: Footage
    ages: Sequence[float] = ()


_RECENT: Final = Footage(recent.recent, recent.FPS, scenes=300, dark=300)

SUITES: Final[Mapping[str, Suite]] = {
    "now": Suite(NOW, _RECENT),
    "past": Suite(PAST, _RECENT),
    "held-out": Suite(NOW, Footage(recent.unseen_pairs, recent.FPS, scenes=60, dark=60)),
    "recall": Suite(
        recall.TASKS,
        # 64 steps of at most 60 tokens each, whatever is kept of them, and the fixed beginning.
        Footage(
            recall.long_ago, recall.FPS, scenes=40, dark=40, settings=("memory.capacity=4096",)
        ),
        recall.AGES,
    ),
    "standing": Suite(STANDING, Footage(standing.standing, standing.FPS, scenes=40, dark=10)),
}
