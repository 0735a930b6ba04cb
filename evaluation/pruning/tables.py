"""From answers to figures: shares right, tests on the same questions, and what costs nothing.

A test compares two runs question by question; the probabilities are not corrected for how many
comparisons a table holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from core.errors import DataError
from evaluation.paired.comparison import McNemar
from evaluation.paired.shares import Share
from evaluation.pruning.results import Result, Run
from evaluation.pruning.suites import FAMILIES

DENSE: Final = "none"
RANDOM: Final = "random"
UNIFORM: Final = "uniform"
NO_LOSS: Final = 0.01  # of the share right, below dense
SURE: Final = 0.05  # probability below which a loss counts as one, however small


@dataclass(frozen=True, slots=True)
class Line:
    """A method at a budget.

    Args:
        label: of the method.
        moment: when it chooses.
        asked: share of the visual tokens; None: the method itself finds how many.
        kept: share measured.
        right: of all questions.
        families: right of each family that was asked about.
        dense: only it is right, and only dense is.
        random: the same against random at the share asked, or at the nearest one kept.
    """

    label: str
    moment: str
    asked: float | None
    kept: float
    right: Share
    families: Mapping[str, Share]
    dense: McNemar
    random: McNemar

    @property
    def lossless(self) -> bool:
        """Whether it is at most a point below dense, and not surely below."""
        n = self.right.n
        lost = (self.dense.second - self.dense.first) / n
        return lost <= NO_LOSS and not (lost > 0 and self.dense.p < SURE)


@dataclass(frozen=True, slots=True)
class Tables:
    """All lines by suite, and how dense did."""

    suites: Mapping[str, Sequence[Line]]
    dense: Mapping[str, Line]

    def overview(self) -> Iterator[str]:
        """One line of text for each line of the tables."""
        for suite, lines in self.suites.items():
            yield f"{suite}: {lines[0].right.n} questions"
            for line in lines:
                asked = "own" if line.asked is None else f"{100 * line.asked:.0f}%"
                yield (
                    f"  {line.label:<28} {asked:>5} kept {100 * line.kept:5.1f}%  right "
                    f"{100 * line.right.value:5.1f}  p dense {line.dense.p:.3f}, "
                    f"random {line.random.p:.3f}"
                )

    def free(self, suite: str) -> list[Line]:
        """For each method the line with the fewest tokens kept at no loss; those with one only."""
        best: dict[str, Line] = {}
        for line in self.suites[suite]:
            known = best.get(line.label)
            if line.lossless and (known is None or line.kept < known.kept):
                best[line.label] = line
        return sorted(best.values(), key=lambda line: line.kept)


def lacking(result: Result) -> list[str]:
    """The controls that were not measured."""
    return [label for label in (DENSE, RANDOM, UNIFORM) if label not in result.runs]


def compute(result: Result) -> Tables:
    """The tables of a result.

    Raises:
        DataError: if dense, random or uniform was not measured: no table goes without them.
    """
    if missing := lacking(result):
        raise DataError(f"every table needs {', '.join(missing)}, which was not measured")
    suites = {name: _lines(result, name) for name in result.questions}
    dense = {name: next(x for x in lines if x.label == DENSE) for name, lines in suites.items()}
    return Tables(suites, dense)


def _lines(result: Result, suite: str) -> list[Line]:
    (dense, *_), random = result.runs[DENSE][suite], result.runs[RANDOM][suite]
    whole = result.right(suite, dense)
    drawn = [(run, result.right(suite, run)) for run in random]
    lines = []
    for label, suites in result.runs.items():
        for run in suites[suite]:
            right = result.right(suite, run)
            control = min(drawn, key=lambda one: _distance(run, one[0]))[1]
            lines.append(
                Line(
                    label=label,
                    moment=result.moments[label],
                    asked=run.asked,
                    kept=run.share,
                    right=Share(sum(right), len(right), 0.0),
                    families=_families(result, suite, right),
                    dense=_paired(right, whole),
                    random=_paired(right, control),
                )
            )
    return lines


def _distance(run: Run, other: Run) -> float:
    if run.asked is not None and other.asked is not None:
        return abs(run.asked - other.asked)
    return abs(run.share - other.share)


def _paired(first: Sequence[bool], second: Sequence[bool]) -> McNemar:
    outcomes = list(zip(first, second, strict=True))
    return McNemar(outcomes.count((True, False)), outcomes.count((False, True)))


def _families(result: Result, suite: str, right: Sequence[bool]) -> dict[str, Share]:
    found = {}
    for family in FAMILIES:
        pairs = zip(result.questions[suite], right, strict=True)
        chosen = [good for item, good in pairs if item.family == family]
        if chosen:
            found[family] = Share(sum(chosen), len(chosen), 0.0)
    return found
