"""Exact match per task, beside it the scores of blank video and of the most frequent answer."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from worlds.questions import Question
from worlds.wording import normal


@dataclass(slots=True)
class _Task:
    right: int = 0
    blank: int = 0
    truths: Counter[str] = field(default_factory=Counter)


class Scores:
    """Counts right answers per task."""

    def __init__(self) -> None:
        self._tasks: dict[str, _Task] = defaultdict(_Task)

    def add(self, question: Question, answer: str, blank: str) -> bool:
        """Count one question.

        Args:
            question: with its truth.
            answer: given after watching.
            blank: given to the same question after as much black video.

        Returns:
            whether the answer was right.
        """
        task, truth = self._tasks[question.task], normal(question.answer)
        right = normal(answer) == truth
        task.right += right
        task.blank += normal(blank) == truth
        task.truths[truth] += 1
        return right

    def table(self) -> dict[str, dict[str, float]]:
        """Per task: accuracy, n, and the two baselines; shares are 0 to 1."""
        return {
            name: {
                "accuracy": task.right / task.truths.total(),
                "n": task.truths.total(),
                "blank": task.blank / task.truths.total(),
                "most_frequent": task.truths.most_common(1)[0][1] / task.truths.total(),
            }
            for name, task in self._tasks.items()
        }


def lines(table: dict[str, dict[str, float]], gates: dict[str, float]) -> Iterable[str]:
    """The table as text, one line per task, with whether its gate is met."""
    yield f"{'task':<11}{'right':>7}{'blank':>7}{'common':>8}{'n':>6}"
    for name, row in table.items():
        shares = "".join(f"{100 * row[k]:>7.1f}" for k in ("accuracy", "blank", "most_frequent"))
        gate = gates.get(name)
        verdict = "" if gate is None else ("  ok" if row["accuracy"] >= gate else "  BELOW GATE")
        yield f"{name:<11}{shares:>22}{int(row['n']):>6}{verdict}"


def passed(table: dict[str, dict[str, Any]], gates: dict[str, float]) -> bool:
    """Whether every task with a gate was asked and met it."""
    return all(name in table and table[name]["accuracy"] >= gate for name, gate in gates.items())
