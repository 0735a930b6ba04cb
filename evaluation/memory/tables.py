"""From answers to figures: shares right by group, tests on the same questions, and a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from evaluation.memory.results import Result, Row, answered
from evaluation.memory.suites import DELAYED, NOW, RECALL, SUITES
from evaluation.paired.comparison import McNemar
from evaluation.scoring import line, right, table
from memory.presets import LOOKOUT, RECENT_4

LOSS: Final = 0.005  # of the share right about now that the default may lose against recent_4
SURE: Final = 0.05  # probability below which one memory counts as better than another


@dataclass(frozen=True, slots=True)
class Line:
    """One memory on one suite.

    Args:
        memory: its name.
        room: bytes it may take; None without a bound.
        held: most bytes it ever held.
        whole: `scoring.line` of all its questions.
        groups: the same of each group that was asked about.
        tasks: the same of each kind of question.
        against: only it is right, and only `RECENT_4` is, on the same questions; None without that.
    """

    memory: str
    room: int | None
    held: int
    whole: Mapping[str, Any]
    groups: Mapping[str, Mapping[str, Any]]
    tasks: Mapping[str, Mapping[str, Any]]
    against: McNemar | None


Tables = dict[str, list[Line]]


def compute(result: Result) -> Tables:
    """The lines of every suite that was measured."""
    found: Tables = {}
    for suite in SUITES:
        rows = [row for row in result.rows if row.suite == suite]
        if rows:
            made = (_line(result, suite, rows, memory) for memory in result.rooms)
            found[suite] = [one for one in made if one is not None]
    return found


def verdicts(tables: Tables) -> Iterator[str]:
    """Whether the default loses nothing about now and wins about the past; what was measured."""
    for suite in (NOW, RECALL, DELAYED):
        lines = {line.memory: line for line in tables.get(suite, ())}
        ours, theirs = lines.get(LOOKOUT), lines.get(RECENT_4)
        if ours is None or theirs is None or ours.against is None:
            continue
        gained = ours.whole["accuracy"] - theirs.whole["accuracy"]
        p = ours.against.p
        if suite == NOW:
            met, goal = gained >= -LOSS - 1e-9, f"at most {100 * LOSS:g} points below"
        else:
            met, goal = gained > 0 and p < SURE, f"above, p < {SURE:g}"
        word = "met" if met else "MISSED"
        yield (
            f"{suite}: {LOOKOUT} {100 * gained:+.1f} points against {RECENT_4} (p {p:.3g}; "
            f"goal: {goal}): {word}"
        )


def _line(result: Result, suite: str, rows: Sequence[Row], memory: str) -> Line | None:
    own = [row for row in rows if memory in row.said]
    if not own:
        return None
    groups: dict[str, list[Row]] = {name: [] for name in SUITES[suite].groups}
    for row in own:
        groups[SUITES[suite].group(row)].append(row)
    return Line(
        memory,
        result.rooms[memory],
        max(row.held[memory] for row in own),
        line(answered(own, memory)),
        {name: line(answered(found, memory)) for name, found in groups.items() if found},
        table(answered(own, memory)),
        _against(own, memory),
    )


def _against(rows: Sequence[Row], memory: str) -> McNemar | None:
    pairs = [(_right(row, memory), _right(row, RECENT_4)) for row in rows if RECENT_4 in row.said]
    if memory == RECENT_4 or not pairs:
        return None
    return McNemar(pairs.count((True, False)), pairs.count((False, True)))


def _right(row: Row, memory: str) -> bool:
    return right(row.task, row.truth, row.said[memory])
