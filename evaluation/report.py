"""Rows to tables, verdicts and text; pooled or of one run, it is the same arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from evaluation import gates, scoring, speaking
from evaluation.rows import Rows
from evaluation.suites import SUITES

_MISTAKES: Final = 3  # listed of each task
_COLUMNS: Final = "  task        right   95% interval  blank  common  words     n"


def summary(suites: Mapping[str, Rows], paired: float | None) -> dict[str, Any]:
    """Everything that follows from what was asked.

    Args:
        suites: rows by suite, a key of `SUITES`.
        paired: strict accuracy of pairs, None if unmeasured.

    Returns:
        `suites`: for each its `scenes`, `seconds`, `tasks` (`scoring.line` or `speaking.scores` by
        task), `ages` (such tables by age) and a sample of `mistakes`; `gates` and `passed`.
    """
    found = {name: _suite(name, rows) for name, rows in suites.items()}
    tables = {name: one["tasks"] for name, one in found.items()}
    verdicts = gates.verdicts(suites, tables, paired)
    return {"suites": found, "gates": verdicts, "passed": gates.passed(verdicts)}


def _suite(name: str, rows: Rows) -> dict[str, Any]:
    return {
        "scenes": rows.scenes,
        "seconds": round(rows.seconds, 1),
        "tasks": {**scoring.table(rows.asked), **speaking.table(rows.vigils)},
        "ages": scoring.by_age(rows.asked, SUITES[name].ages),
        "mistakes": [
            *scoring.mistakes(rows.asked, _MISTAKES),
            *speaking.mistakes(rows.vigils, 2 * _MISTAKES),
        ],
    }


def lines(result: Mapping[str, Any]) -> Iterator[str]:
    """The result as text."""
    for name, suite in result["suites"].items():
        yield f"{name}: {suite['scenes']} scenes in {suite['seconds']:.0f} s"
        if name == "standing":
            yield from _spoken(suite["tasks"])
        else:
            yield from _answered(suite["tasks"])
        for age, tasks in suite["ages"].items():
            yield f"  evidence {age} old"
            yield from _answered(tasks)
    yield "gates"
    for name, verdict in result["gates"].items():
        yield f"  {verdict_line(name, verdict)}"


def verdict_line(name: str, verdict: Mapping[str, Any]) -> str:
    """One gate: what was reached, the goal, and ok, MISSED or not measured."""
    if verdict["met"] is None:
        return f"{name:<12} not measured"
    word = "ok" if verdict["met"] else "MISSED"
    value, goal = 100 * verdict["value"], 100 * verdict["goal"]
    if name == gates.BLANK:
        where = f" ({', '.join(verdict['above'])})" if verdict["above"] else ""
        return f"{name:<12}{value:>+7.1f} over chance, at most {goal:.0f}  {word}{where}"
    return f"{name:<12}{value:>7.1f} of {goal:.0f}  {word}"


def _answered(tasks: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield _COLUMNS
    for task, row in tasks.items():
        interval = f"{100 * row['low']:.1f} to {100 * row['high']:.1f}"
        blank = "-" if row["blank"] is None else f"{100 * row['blank']:.1f}"
        notes = [f"exact {100 * row['exact']:.1f}"] if task == "when" else []
        if row["covered"] < 1:
            notes.append(f"memory went back far enough {100 * row['covered']:.1f}")
        yield (
            f"  {task:<11}{100 * row['accuracy']:>6.1f}{interval:>15}{blank:>7}"
            f"{100 * row['most_frequent']:>8.1f}{100 * row['words']:>7.1f}{row['n']:>6}"
            f"{'  ' if notes else ''}{', '.join(notes)}"
        )


def _spoken(tasks: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for task, row in tasks.items():
        yield (
            f"  {task:<11}F1 {row['f1']:.3f} (repeats as false alarms {row['f1_strict']:.3f}), "
            f"precision {share(row['precision'])}, recall {share(row['recall'])}, "
            f"right words {share(row['right_words'])}"
        )
        delay, false = row["median_delay_s"], row["false_alarms_per_minute"]
        yield (
            f"  {'':<11}median delay {'-' if delay is None else f'{delay:.2f} s'}, "
            f"false alarms a minute {'-' if false is None else f'{false:.2f}'}, "
            f"{row['events']} events in {row['minutes']:.1f} min of {row['vigils']} vigils"
        )
        blank = "-" if row["blank"] is None else f"{row['blank']['f1']:.3f}"
        yield (
            f"  {'':<11}F1 of black video {blank}, always speaking {row['always']['f1']:.3f}, "
            f"never {row['never']['f1']:.3f}"
        )


def share(found: Mapping[str, float] | None) -> str:
    """Per cent, or a dash where there is nothing to have a share of."""
    return "-" if found is None else f"{100 * found['value']:.1f}"
