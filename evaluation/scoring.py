"""Right answers per task, with what stands beside them: black video and two ways of guessing."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from evaluation.paired.shares import Share
from evaluation.rows import Row
from worlds.vocabulary import BOX, LAMP, SIGN
from worlds.wording import normal

NEAR: Final = 1.0  # seconds by which a time may be off
_TIME: Final = re.compile(r"(\d+(?:\.\d+)?) seconds?\b")
_CHOICE: Final = re.compile(r", the (.+) or the ")
_KINDS: Final = (BOX, LAMP, SIGN, "number")


def right(task: str, truth: str, answer: str) -> bool:
    """Whether an answer counts: word for word, a time within a second."""
    if task == "when":
        said, true = seconds(answer), seconds(truth)
        return said is not None and true is not None and abs(said - true) <= NEAR + 1e-9
    return normal(answer) == normal(truth)


def seconds(answer: str) -> float | None:
    """The time an answer names, None if it names none."""
    found = _TIME.search(answer.lower())
    return float(found[1]) if found else None


def table(rows: Iterable[Row]) -> dict[str, dict[str, Any]]:
    """Per task in the order of their first rows: see `line`."""
    tasks: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        tasks[row.task].append(row)
    return {task: line(found) for task, found in tasks.items()}


def line(rows: Sequence[Row]) -> dict[str, Any]:
    """Scores of rows that are reported together; shares are 0 to 1.

    Args:
        rows: of one task or of several alike, at least one.

    Returns:
        `accuracy` with the bounds `low` and `high` of Wilson's 95% interval and `n`; `exact`, the
        share right word for word; `blank`, right after black video, of `blank_n` rows, None where
        none was asked so; `most_frequent`, the share of the best fixed answer; `words`, that of the
        best fixed answer to each form of question, what can be had from its words alone; `covered`,
        the share of questions at which memory still went back to the scene's start.
    """
    good = Share(sum(right(r.task, r.truth, r.answer) for r in rows), len(rows), 0.0)
    dark = [right(r.task, r.truth, r.blank) for r in rows if r.blank is not None]
    low, high = good.interval
    return {
        "accuracy": good.value,
        "low": low,
        "high": high,
        "n": good.n,
        "exact": sum(normal(r.truth) == normal(r.answer) for r in rows) / len(rows),
        "blank": sum(dark) / len(dark) if dark else None,
        "blank_n": len(dark),
        "most_frequent": _guessed(rows, lambda row: row.task) / len(rows),
        "words": _guessed(rows, _form) / len(rows),
        "covered": sum(row.reached for row in rows) / len(rows),
    }


def by_age(rows: Sequence[Row], bounds: Sequence[float]) -> dict[str, dict[str, Any]]:
    """A table for each stretch of ages, named "0-16 s" and so on; those without rows are left out.

    Args:
        rows: with ages.
        bounds: upper ones of the stretches, rising, seconds.
    """
    found = {}
    for low, high in zip((0.0, *bounds), bounds, strict=False):
        chosen = [row for row in rows if row.age is not None and low <= row.age < high]
        if chosen:
            found[f"{low:.0f}-{high:.0f} s"] = table(chosen)
    return found


def mistakes(rows: Iterable[Row], most: int) -> list[dict[str, Any]]:
    """Wrong answers, at most `most` of each task, with where to look them up."""
    seen: Counter[str] = Counter()
    found: list[dict[str, Any]] = []
    for row in rows:
        if right(row.task, row.truth, row.answer) or seen[row.task] == most:
            continue
        seen[row.task] += 1
        found.append(
            {
                "task": row.task,
                "question": row.question,
                "truth": row.truth,
                "answer": row.answer,
                "world": row.url,
                "from": row.start,
                "to": row.asked,
            }
        )
    return found


def _guessed(rows: Sequence[Row], form: Callable[[Row], str]) -> int:
    """How many are right when each form of question has one answer, the best."""
    forms: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        forms[form(row)].append(row)
    return sum(_best(found) for found in forms.values())


def _best(rows: Sequence[Row]) -> int:
    """How many one answer gets right; of a choice between two, that it is the first or second."""
    choices = [_CHOICE.search(row.question.lower()) for row in rows]
    if all(choices):
        firsts = sum(
            normal(row.truth) in (f"a {found[1]}", f"an {found[1]}")
            for row, found in zip(rows, choices, strict=True)
            if found
        )
        return max(firsts, len(rows) - firsts)
    if rows[0].task == "when":
        times = [time for row in rows if (time := seconds(row.truth)) is not None]
        return max(sum(abs(a - b) <= NEAR + 1e-9 for b in times) for a in times)
    return Counter(normal(row.truth) for row in rows).most_common(1)[0][1]


def _form(row: Row) -> str:
    """What can be told from the words: the task, the noun where few answers fit it, a choice."""
    text = row.question.lower()
    kind = next((kind for kind in _KINDS if kind in text.split() or f"{kind}?" in text), "")
    return f"{row.task} {kind} {'choice' if _CHOICE.search(text) else ''}"
