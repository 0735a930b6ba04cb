"""What the embedded model must reach. A gate that is missed says so; none is ever lowered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from evaluation.rows import Row, Rows
from evaluation.scoring import line
from worlds.wording import say_fate

BLANK: Final = "blank video"
PAIRED: Final = "paired"
STANDING: Final = "standing F1"
STANDING_GOAL: Final = 0.8
PAIRED_GOAL: Final = 0.7
MARGIN: Final = 0.05  # by which black video may beat always saying the most frequent


@dataclass(frozen=True, slots=True)
class Gate:
    """The least accuracy of some tasks of a suite, taken together.

    Args:
        suite: which.
        tasks: which.
        goal: accuracy, 0 to 1.
        kinds: events; of questions what happened only those whose answer is one of them.
    """

    suite: str
    tasks: Sequence[str]
    goal: float
    kinds: Sequence[str] = ()

    def judges(self, row: Row) -> bool:
        """Whether a row of the suite counts."""
        if self.kinds and row.task == "happened":
            return "happened" in self.tasks and row.truth in [say_fate(k, "") for k in self.kinds]
        return row.task in self.tasks


GATES: Final[Mapping[str, Gate]] = {
    "attribute": Gate("now", ("colour", "shape", "name"), 0.93),
    "where": Gate("now", ("where",), 0.93),
    "count": Gate("now", ("count",), 0.93),
    "exist": Gate("now", ("exist",), 0.88),
    "read": Gate("now", ("read",), 0.85),
    "direction": Gate("now", ("direction",), 0.90),
    "state": Gate("now", ("state",), 0.75),
    "order": Gate("past", ("order",), 0.80),
    "happened": Gate("past", ("happened",), 0.75),
    "taken": Gate("past", ("taken",), 0.75),
    "pick-up": Gate("past", ("taken", "happened"), 0.75, ("picked up", "put down")),
    "open, close": Gate(
        "past", ("happened",), 0.75, ("opened", "closed", "turned on", "turned off")
    ),
    "when": Gate("past", ("when",), 0.75),
    "recall": Gate("recall", ("recall",), 0.80),
}


def verdicts(
    suites: Mapping[str, Rows], tables: Mapping[str, Mapping[str, Any]], paired: float | None
) -> dict[str, dict[str, Any]]:
    """Every gate: its `goal`, the `value` reached and whether it is `met`; both None if unmeasured.

    Args:
        suites: rows by suite.
        tables: the table of each suite's tasks.
        paired: strict accuracy of pairs, None if unmeasured.
    """
    found = {name: _reached(gate, suites) for name, gate in GATES.items()}
    f1 = tables.get("standing", {}).get("standing", {}).get("f1")
    found[STANDING] = _verdict(STANDING_GOAL, f1)
    found[PAIRED] = _verdict(PAIRED_GOAL, paired)
    found[BLANK] = _blank(tables)
    return found


def passed(found: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether every gate was measured and met."""
    return all(verdict["met"] is True for verdict in found.values())


def _reached(gate: Gate, suites: Mapping[str, Rows]) -> dict[str, Any]:
    rows = [r for r in suites.get(gate.suite, Rows()).asked if gate.judges(r)]
    if not rows:
        return _verdict(gate.goal, None)
    scores = line(rows)
    return {
        **_verdict(gate.goal, scores["accuracy"]),
        **{key: scores[key] for key in ("low", "high", "n", "blank", "most_frequent", "words")},
    }


def _verdict(goal: float, value: float | None) -> dict[str, Any]:
    return {"goal": goal, "value": value, "met": None if value is None else value >= goal}


def _blank(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Whether black video is nowhere better than chance by more than `MARGIN`.

    Chance is always saying the most frequent answer, and of standing questions always speaking.
    """
    gaps = {}
    for suite, tasks in tables.items():
        for task, row in tasks.items():
            if row["blank"] is not None:
                gaps[f"{suite}: {task}"] = _gap(row)
    value = max(gaps.values()) if gaps else None
    above = sorted(name for name, gap in gaps.items() if gap > MARGIN)
    return {"goal": MARGIN, "value": value, "met": None if value is None else not above,
            "above": above}  # fmt: skip


def _gap(row: Mapping[str, Any]) -> float:
    """By how much black video beats chance."""
    if isinstance(row["blank"], Mapping):  # of standing questions
        return float(row["blank"]["f1"] - row["blank"]["always_f1"])
    return float(row["blank"] - row["most_frequent"])
