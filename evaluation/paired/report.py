"""What was measured, as a table for people and as an object for programs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from evaluation.paired.comparison import mcnemar
from evaluation.paired.groups import ALL
from evaluation.paired.judging import Judged
from evaluation.paired.layouts import Layout
from evaluation.paired.shares import Share

_SHOWN: Final = 40  # places that are listed


@dataclass(frozen=True, slots=True)
class Answers:
    """Judged groups of the files that were read.

    Args:
        own: of the model that is measured.
        blank: the same questions, answered after blank video.
        against: the same questions, answered by another model.
    """

    own: Sequence[Judged]
    blank: Sequence[Judged] | None = None
    against: Sequence[Judged] | None = None


def report(layout: Layout, answers: Answers) -> dict[str, Any]:
    """The result as `lookout eval --json` writes it.

    Returns:
        `tasks`: per kind and over all, `accuracy` and `n` of single answers (static ones too), the
        same of `blank` video or None, the share that the best fixed answer (`most_frequent`) would
        have, `unparsable` answers, `incomplete` groups, and `measures` by name; `against`: per task
        the test against the other model; `unparsable` and `incomplete`: the first places.
    """
    own = _by_kind(answers.own)
    blank = _by_kind(answers.blank or ())
    rival = _by_kind(answers.against or ())
    return {
        "tasks": {kind: _task(layout, groups, blank.get(kind)) for kind, groups in own.items()},
        "against": {kind: _test(own[kind], groups) for kind, groups in rival.items()},
        "unparsable": [place for one in answers.own for place in one.unreadable][:_SHOWN],
        "incomplete": [one.group.key for one in answers.own if not one.group.complete][:_SHOWN],
    }


def lines(result: Mapping[str, Any]) -> Iterator[str]:
    """The result as text: a line for each measure of each task."""
    yield f"{'task':<22}{'measure':<14}{'%':>6}{'95% interval':>16}{'chance':>8}{'n':>7}"
    for name, task in result["tasks"].items():
        for measure, row in task["measures"].items():
            interval = f"{100 * row['low']:.1f} to {100 * row['high']:.1f}"
            yield (
                f"{name:<22}{measure:<14}{100 * row['value']:>6.1f}{interval:>16}"
                f"{100 * row['chance']:>8.1f}{row['n']:>7}"
            )
        yield f"{name:<22}{_remarks(task)}"
    for name, test in result["against"].items():
        yield (
            f"{name:<22}right as a whole here only: {test['first']}, there only: "
            f"{test['second']}, p = {test['p']:.3g} (McNemar, exact)"
        )


def _remarks(task: Mapping[str, Any]) -> str:
    blank = "" if task["blank"] is None else f", blank video {100 * task['blank']:.1f}"
    return (
        f"best fixed answer {100 * task['most_frequent']:.1f}{blank}, "
        f"unparsable {task['unparsable']} of {task['n']}, incomplete {task['incomplete']}"
    )


def _by_kind(judged: Iterable[Judged]) -> dict[str, list[Judged]]:
    kinds: dict[str, list[Judged]] = defaultdict(list)
    for one in judged:
        kinds[one.group.kind].append(one)
    every = [one for kind in sorted(kinds) for one in kinds[kind]]
    ordered = {kind: kinds[kind] for kind in sorted(kinds)}
    return {**ordered, ALL: every} if every else {}


def _task(
    layout: Layout, judged: Sequence[Judged], blank: Sequence[Judged] | None
) -> dict[str, Any]:
    n = sum(one.group.size for one in judged)
    truths = Counter(item.truth for one in judged for item in one.group.items)
    return {
        "accuracy": _accuracy(judged),
        "n": n,
        "blank": _accuracy(blank) if blank else None,
        "most_frequent": max(truths.values()) / n,
        "unparsable": sum(len(one.unreadable) for one in judged),
        "incomplete": sum(not one.group.complete for one in judged),
        "measures": {name: _row(found) for name, found in layout.measures(judged).items()},
    }


def _accuracy(judged: Sequence[Judged]) -> float:
    return sum(sum(one.right) for one in judged) / sum(one.group.size for one in judged)


def _row(found: Share) -> dict[str, float]:
    low, high = found.interval
    return {
        "value": found.value,
        "right": found.right,
        "n": found.n,
        "low": low,
        "high": high,
        "chance": found.chance,
    }


def _test(own: Sequence[Judged], rival: Sequence[Judged]) -> dict[str, float]:
    found = mcnemar(own, rival)
    return {"first": found.first, "second": found.second, "p": found.p}
