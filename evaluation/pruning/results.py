"""The file of a run: what was asked, what each method kept, and what was answered; pooled or whole.

All tables, tests and plots follow from these answers.
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from core.errors import ConfigError, DataError
from evaluation.scoring import right

Header = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """A question that every method was asked."""

    task: str
    family: str
    question: str
    truth: str
    url: str  # of the demo camera
    start: float  # world time of the scene's first frame, seconds
    step: int  # the newest one watched


@dataclass(frozen=True, slots=True)
class Run:
    """One method at one budget on one suite."""

    asked: float | None  # share of the visual tokens; None: the method itself finds how many
    budget: int | None  # visual tokens per temporal step
    encoded: int  # visual tokens decided about
    kept: int  # of them
    answers: tuple[str, ...]  # to the suite's questions, in their order

    @property
    def share(self) -> float:
        """Visual tokens kept of those decided about; 1 if there was none."""
        return self.kept / self.encoded if self.encoded else 1.0


@dataclass(slots=True)
class Result:
    """Of one or several runs of the command.

    Attributes:
        header: what must be the same for answers to be comparable.
        questions: by suite.
        runs: by method's label, then by suite; budgets falling.
        moments: by method's label, `ingest` or `question`: when it chooses.
        seconds: that each method took, by label.
    """

    header: Header
    questions: dict[str, list[Item]] = field(default_factory=dict)
    runs: dict[str, dict[str, list[Run]]] = field(default_factory=dict)
    moments: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def right(self, suite: str, run: Run) -> list[bool]:
        """Whether each answer counts."""
        pairs = zip(self.questions[suite], run.answers, strict=True)
        return [right(item.task, item.truth, answer) for item, answer in pairs]


def save(result: Result, path: Path) -> None:
    """Write the file as a whole or not at all.

    Under `tasks` it also says the share right of each run, as every evaluation does; nothing reads
    that back.
    """
    beside = path.with_name(f"{path.name}.part")
    values = {"tasks": _tasks(result), **asdict(result)}
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
            {name: [Item(**one) for one in items] for name, items in found["questions"].items()},
            {label: _runs(suites) for label, suites in found["runs"].items()},
            found["moments"],
            found["seconds"],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: no result of lookout eval pruning: {error!r}") from None


def resume(path: Path | None, fresh: Result) -> Result:
    """What the file holds already, or `fresh` where there is none.

    Raises:
        ConfigError: if the file is of other settings.
        DataError: if it is no result.
    """
    if path is None or not path.exists():
        return fresh
    found = load(path)
    if found.header != fresh.header or found.questions != fresh.questions:
        raise ConfigError(f"--json {path}: is of other settings; name another file")
    return found


def pool(results: Sequence[Result]) -> Result:
    """Several results on the same questions as one.

    Raises:
        DataError: if they are not on the same questions, or measured one method twice.
    """
    whole = Result(results[0].header)
    for result in results:
        if result.header != whole.header:
            raise DataError("the results are of different settings")
        for suite, items in result.questions.items():
            if whole.questions.setdefault(suite, items) != items:
                raise DataError(f"{suite}: the results are on different questions")
        for label, suites in result.runs.items():
            mine = whole.runs.setdefault(label, {})
            if again := mine.keys() & suites.keys():
                raise DataError(f"{label}: measured twice on {', '.join(sorted(again))}")
            mine.update(suites)
        whole.moments.update(result.moments)
        for label, seconds in result.seconds.items():
            whole.seconds[label] = whole.seconds.get(label, 0.0) + seconds
    return whole


def _tasks(result: Result) -> dict[str, dict[str, Any]]:
    """The share right of each run, under suite, label and percent asked for."""
    found = {}
    for label, suites in result.runs.items():
        for suite, runs in suites.items():
            common = _most_frequent(result.questions[suite])
            for run in runs:
                asked = "own" if run.asked is None else f"{100 * run.asked:g}"
                right = result.right(suite, run)
                found[f"{suite}, {label}, {asked}"] = {
                    "accuracy": sum(right) / len(right),
                    "n": len(right),
                    "blank": None,
                    "most_frequent": common,
                    "kept": run.share,
                }
    return found


def _most_frequent(items: Sequence[Item]) -> float:
    """Share right of the best fixed answer to each task."""
    truths: dict[str, Counter[str]] = defaultdict(Counter)
    for item in items:
        truths[item.task][item.truth] += 1
    return sum(max(counts.values()) for counts in truths.values()) / len(items)


def _runs(suites: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, list[Run]]:
    return {
        suite: [Run(**{**one, "answers": tuple(one["answers"])}) for one in runs]
        for suite, runs in suites.items()
    }
