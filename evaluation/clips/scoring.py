"""Right answers, beside what black video, a fixed answer and guessing would get."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from evaluation.clips.kinds import KINDS
from evaluation.clips.questions import Question

ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class Reply:
    """A question and what was answered, after the clip and after as much black video."""

    question: Question
    answer: str
    blank: str

    @property
    def said(self) -> str | None:
        """What the answer says; None where it cannot be read."""
        return _read(self.question, self.answer)

    @property
    def right(self) -> bool:
        """Whether it says the truth."""
        return self.said == self.question.truth

    @property
    def blank_right(self) -> bool:
        """Whether black video was answered with the truth."""
        return _read(self.question, self.blank) == self.question.truth


def by_kind(replies: Sequence[Reply]) -> dict[str, dict[str, Any]]:
    """A row of figures for each kind that was asked, and one for all of them; see `row`."""
    kinds: dict[str, list[Reply]] = defaultdict(list)
    for reply in replies:
        kinds[reply.question.kind].append(reply)
    rows = {kind: row(kinds[kind]) for kind in KINDS if kind in kinds}
    return {**rows, ALL: row(replies)}


def row(replies: Sequence[Reply]) -> dict[str, Any]:
    """The figures of some replies; shares are 0 to 1.

    Returns:
        `accuracy`, `right` of `n`, from so many `passages`; `blank`: of black video; `chance`: of
        guessing among the options; `most_frequent`: of always giving the best fixed answer of each
        kind; `p_chance`, `p_most_frequent`: probability that so much luck, or more, had come from
        either; `unread`: answers that said nothing or two things; `near` with its own `chance`,
        where the kind knows a roughly. The probabilities take questions for independent, and those
        of one passage are not: they flatter.
    """
    if not replies:
        raise ValueError("no replies, no figures")
    chances = [1 / len(KINDS[reply.question.kind].options) for reply in replies]
    fixed = _fixed(replies)
    right, n = sum(reply.right for reply in replies), len(replies)
    return {
        "accuracy": right / n,
        "right": right,
        "n": n,
        "passages": len({(r.question.clip, r.question.passage) for r in replies}),
        "blank": sum(reply.blank_right for reply in replies) / n,
        "chance": sum(chances) / n,
        "most_frequent": sum(fixed) / n,
        "p_chance": at_least(right, chances),
        "p_most_frequent": at_least(right, fixed),
        "unread": sum(reply.said is None for reply in replies),
        "near": _near(replies),
    }


def at_least(right: int, chances: Iterable[float]) -> float:
    """Probability of `right` or more successes in independent trials of these chances."""
    ways = [1.0]  # probability of each number of successes so far
    for chance in chances:
        missed, hit = [*ways, 0.0], [0.0, *ways]
        ways = [m * (1 - chance) + h * chance for m, h in zip(missed, hit, strict=True)]
    return min(1.0, sum(ways[max(0, right) :]))


def _read(question: Question, answer: str) -> str | None:
    kind = KINDS[question.kind]
    return kind.read(answer, kind.options)


def _fixed(replies: Sequence[Reply]) -> list[float]:
    """For each reply the share of the most frequent truth among those of its kind."""
    truths: dict[str, Counter[str]] = defaultdict(Counter)
    for reply in replies:
        truths[reply.question.kind][reply.question.truth] += 1
    shares = {kind: max(found.values()) / found.total() for kind, found in truths.items()}
    return [shares[reply.question.kind] for reply in replies]


def _near(replies: Sequence[Reply]) -> dict[str, float] | None:
    """Roughly right answers, where all the kinds know what that is."""
    hits, chances = 0, []
    for reply in replies:
        kind, truth = KINDS[reply.question.kind], reply.question.truth
        if kind.near is None:
            return None
        hits += reply.said is not None and kind.near(reply.said, truth)
        chances.append(sum(kind.near(option, truth) for option in kind.options))
    options = len(KINDS[replies[0].question.kind].options)
    shares = [chance / options for chance in chances]
    return {
        "accuracy": hits / len(replies),
        "chance": sum(shares) / len(replies),
        "p_chance": at_least(hits, shares),
    }
