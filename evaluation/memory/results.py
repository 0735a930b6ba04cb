"""The file of a run: what was asked, what every memory answered, and what it held.

All tables, tests and plots follow from these rows. Parts of one measurement are pooled.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from core.errors import DataError
from evaluation import rows as plain
from evaluation.memory.streams import STEP
from evaluation.scoring import line

BLACK: Final = "black"  # the control that sees black video only
DENSE: Final = "dense"  # the control that gives up nothing, where that is possible
Header = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One question, put to every memory alone."""

    suite: str
    stream: str  # its name
    task: str
    question: str
    truth: str
    asked: float  # stream time of the newest frame, seconds
    steps: int  # temporal steps that entered memory before it
    age: float | None  # seconds since what must be known was last to be seen; None for now
    lasted: float  # seconds that it had been in view by then
    gap: float | None  # seconds of other things between; None where nothing was put there
    said: Mapping[str, str]  # by memory
    held: Mapping[str, int]  # bytes, by memory
    # Stretches of stream time that each answer read, seconds; the hot memory's is the first.
    read: Mapping[str, Sequence[Sequence[float]]]

    @property
    def key(self) -> tuple[str, str, float, str]:
        """What no two rows of a result share."""
        return self.suite, self.stream, self.asked, self.question

    def reached(self, memory: str) -> bool:
        """Whether the answer read any moment at which what must be known was to be seen."""
        if self.age is None:
            return True
        end = self.asked - self.age
        begin = end - self.lasted
        return any(
            first - STEP <= end and begin <= last + STEP for first, last in self.read[memory]
        )


@dataclass(slots=True)
class Result:
    """Of one or several runs of the command.

    Attributes:
        header: what must be the same for answers to be comparable.
        rooms: by memory the bytes it may take; None for one without a bound.
        rows: one for each question.
        streams: watched, by suite.
        seconds: that it took, by suite.
    """

    header: Header
    rooms: dict[str, int | None]
    rows: list[Row] = field(default_factory=list)
    streams: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def answered(rows: Sequence[Row], memory: str) -> list[plain.Row]:
    """The rows that a memory answered, as all evaluations score them; black video beside them."""
    return [
        plain.Row(
            row.task,
            row.question,
            row.truth,
            row.said[memory],
            row.stream,
            0.0,
            row.asked,
            row.reached(memory),
            row.age,
            row.said.get(BLACK),
        )
        for row in rows
        if memory in row.said
    ]


def save(result: Result, path: Path, name: Callable[[Row], str]) -> None:
    """Write the file as a whole or not at all.

    Under `tasks` it also says the shares right, as every evaluation does; nothing reads that back.

    Args:
        result: what to write.
        path: of the file.
        name: of the group that a row is reported in.
    """
    beside = path.with_name(f"{path.name}.part")
    values = {"tasks": _tasks(result, name), **asdict(result)}
    beside.write_text(json.dumps(values) + "\n", encoding="utf-8")
    os.replace(beside, path)


def load(path: Path) -> Result:
    """The result in a file.

    Raises:
        DataError: if it is none.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Result(
            found["header"],
            found["rooms"],
            [Row(**row) for row in found["rows"]],
            found["streams"],
            found["seconds"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: no result of lookout eval memory: {error!r}") from None


def pool(results: Sequence[Result]) -> Result:
    """Parts of a measurement, or several seeds, as one.

    Raises:
        DataError: if they are of different settings, or one question counts twice.
    """
    first = results[0]
    whole = Result(first.header, dict(first.rooms))
    known: set[tuple[str, str, float, str]] = set()
    for result in results:
        if result.header != first.header or result.rooms != first.rooms:
            raise DataError("the results are of different settings")
        keys = {row.key for row in result.rows}
        if again := known & keys:
            raise DataError(f"{len(again)} questions are in two of the results")
        known |= keys
        whole.rows += result.rows
        for mine, theirs in ((whole.streams, result.streams), (whole.seconds, result.seconds)):
            _add(mine, theirs)
    return whole


def _add(mine: dict[str, Any], theirs: Mapping[str, Any]) -> None:
    for suite, value in theirs.items():
        mine[suite] = mine.get(suite, 0) + value


def _tasks(result: Result, name: Callable[[Row], str]) -> dict[str, dict[str, Any]]:
    """Scores under suite, group and memory."""
    groups: dict[str, list[Row]] = {}
    for row in result.rows:
        groups.setdefault(f"{row.suite}, {name(row)}", []).append(row)
    return {
        f"{group}, {memory}": line(found)
        for group, rows in groups.items()
        for memory in result.rooms
        if (found := answered(rows, memory))
    }
