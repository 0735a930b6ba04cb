"""What `lookout eval memory` measures: streams, and by what their questions are told apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from evaluation import recall
from evaluation.memory.delayed import GAPS, delayed
from evaluation.memory.moments import TASKS, now
from evaluation.memory.results import Row
from evaluation.memory.streams import Stream, of_scene

DENSE_STEPS: Final = 128  # that a memory which gives up nothing holds at most


@dataclass(frozen=True, slots=True)
class Suite:
    """Questions that are reported together.

    Args:
        draw: streams of a seed.
        streams: how many without `--limit`.
        groups: the names of the groups, in order.
        group: which of them a question belongs to.
        axis: what the groups are.
    """

    draw: Callable[[int], Iterator[Stream]]
    streams: int
    groups: Sequence[str]
    group: Callable[[Row], str]
    axis: str


def _now(seed: int) -> Iterator[Stream]:
    return (of_scene(drawn, aged=False) for drawn in now(seed))


def _recall(seed: int) -> Iterator[Stream]:
    return (of_scene(drawn, aged=True) for drawn in recall.long_ago(seed, recall.TASKS))


def _delayed(seed: int) -> Iterator[Stream]:
    return (found.stream() for found in delayed(seed))


def _by_age(row: Row) -> str:
    assert row.age is not None
    bound = next((bound for bound in recall.AGES if row.age < bound), recall.AGES[-1])
    return f"to {bound:.0f} s"


def said_gap(seconds: float) -> str:
    """As people say it: 60.0 is "1 min"."""
    return f"{seconds / 3600:g} h" if seconds >= 7200 else f"{seconds / 60:g} min"


def _by_gap(row: Row) -> str:
    assert row.gap is not None
    return said_gap(row.gap)


NOW: Final = "now"
RECALL: Final = "recall"
DELAYED: Final = "delayed"
SUITES: Final[Mapping[str, Suite]] = {
    NOW: Suite(
        _now, 16, TASKS, lambda row: row.task, "kind of question"
    ),
    RECALL: Suite(
        _recall, 20, tuple(f"to {bound:.0f} s" for bound in recall.AGES), _by_age,
        "age of the evidence",
    ),
    DELAYED: Suite(
        _delayed, 18, tuple(map(said_gap, GAPS)), _by_gap, "gap between evidence and question"
    ),
}  # fmt: skip
