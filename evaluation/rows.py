"""What was asked and what was said, as results keep it: every table follows from these rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One question of a scene, put alone."""

    task: str
    question: str
    truth: str
    answer: str
    url: str  # of the demo camera
    start: float  # world time of the scene's first frame, seconds
    asked: float  # world time of the newest frame, seconds
    reached: bool  # whether memory went back to the scene's start
    age: float | None = None  # seconds since what must be known was last to be seen
    blank: str | None = None  # the answer after as much black video


@dataclass(frozen=True, slots=True)
class Due:
    """A moment of a scene that calls for words; times in seconds since the scene's start."""

    t: float
    says: tuple[str, ...]  # each of them is right


@dataclass(frozen=True, slots=True)
class Vigil:
    """A standing question, put alone at every step of a scene but the first."""

    task: str
    text: str
    due: tuple[Due, ...]
    unjudged: tuple[float, ...]  # the same so close to the scene's borders that nothing is expected
    url: str
    start: float  # world time of the scene's first frame, seconds
    asked: tuple[float, ...]  # when it was put, seconds since the scene's start
    said: tuple[str, ...] = ()  # at each of these; empty is silence
    blank: tuple[str, ...] | None = None  # the same after as much black video


@dataclass
class Rows:
    """Of one suite."""

    asked: list[Row] = field(default_factory=list)
    vigils: list[Vigil] = field(default_factory=list)
    scenes: int = 0
    seconds: float = 0.0  # that it took

    def add(self, other: Rows) -> None:
        """Take the rows of another run of the same suite."""
        self.asked += other.asked
        self.vigils += other.vigils
        self.scenes += other.scenes
        self.seconds += other.seconds


def rows(values: dict[str, Any]) -> Rows:
    """Rows from their JSON values, `dataclasses.asdict` undone."""
    return Rows(
        [Row(**one) for one in values["asked"]],
        list(_vigils(values["vigils"])),
        values["scenes"],
        values["seconds"],
    )


def _vigils(values: list[dict[str, Any]]) -> Iterator[Vigil]:
    for one in values:
        due = tuple(Due(each["t"], tuple(each["says"])) for each in one["due"])
        blank = None if one["blank"] is None else tuple(one["blank"])
        lists = {key: tuple(one[key]) for key in ("unjudged", "asked", "said")}
        yield Vigil(**{**one, **lists, "due": due, "blank": blank})
