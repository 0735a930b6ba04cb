"""Clauses of time in a question, as EMCompress reads them first: which stretch, and what is asked.

"What fell in the last 30 seconds?" is the question "What fell?" about the last 30 seconds. `read`
finds such a clause by rules, in English, and takes it out; `rows_within` says which tokens of a
bank lie in its stretch, for a selector to choose from. A question with none, or with more than one,
is left as it is and to be asked of everything; "after the door opened" is none, it names an event.
A moment ("2 minutes ago", "at 1:30") is given a tenth of its distance, and 5 seconds at least, on
either side; that is ours, as are the rules. Stamps are positions of the stream, m:ss or h:mm:ss.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import torch
from torch import Tensor

from core.tokens import VisualTokens

NUMBERS = {
    word: number
    for number, words in enumerate(
        ("", "a an one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    )
    for word in words.split()
} | {"half a": 0.5, "half an": 0.5, "fifteen": 15, "twenty": 20, "thirty": 30, "sixty": 60}
UNITS = {"s": 1, "m": 60, "h": 3600}  # by first letter
SLACK, SHARE = 5.0, 0.1  # around a moment: seconds, and share of how long ago it was

_COUNT = "|".join(sorted((re.escape(word) for word in NUMBERS), key=len, reverse=True))
_SPAN = rf"(?:(\d+(?:\.\d+)?|{_COUNT})\s*)?(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)"
_STAMP = r"(\d{1,3}(?::[0-5]\d){1,2})"
_LAST = re.compile(rf"\b(?:in|during|over|within|for) the (?:last|past) {_SPAN}\b", re.I)
_FIRST = re.compile(rf"\b(?:in|during|over|within|for) the first {_SPAN}\b", re.I)
_AGO = re.compile(rf"\b(?:about |around )?{_SPAN} ago\b", re.I)
_BETWEEN = re.compile(rf"\b(?:between {_STAMP} and|from {_STAMP} (?:to|until)) {_STAMP}(?![:\d])", re.I)  # fmt: skip # noqa: E501
_STAMPED = re.compile(rf"\b(since|after|before|until|at) {_STAMP}(?![:\d])", re.I)


class Clause(NamedTuple):
    """A stretch of a stream and what is asked about it."""

    start: float  # seconds of media time
    stop: float  # later than `start`
    question: str


def read(question: str, now: float) -> Clause | None:
    """The one clause of time in a question, or None.

    Args:
        question: as it was asked.
        now: media time of the newest frame, in seconds.
    """
    found = [
        (match, *stretch(match, now))
        for pattern, stretch in (
            (_LAST, _last), (_FIRST, _first), (_AGO, _ago), (_BETWEEN, _between),
            (_STAMPED, _stamped),
        )
        for match in pattern.finditer(question)
    ]  # fmt: skip
    if len(found) != 1:
        return None
    match, start, stop = found[0]
    start, stop = max(start, 0.0), min(stop, now)
    left = _without(question, match)
    return Clause(start, stop, left) if start < stop and re.search(r"\w", left) else None


def rows_within(bank: VisualTokens, clause: Clause) -> Tensor:
    """Rows of a bank whose steps lie in the stretch, int64, increasing; there may be none."""
    inside = [clause.start <= time <= clause.stop for time in bank.times]
    kept = torch.tensor(inside, device=bank.index.device)[bank.step]
    return kept.nonzero()[:, 0]


def _last(match: re.Match[str], now: float) -> tuple[float, float]:
    return now - _seconds(match[1], match[2]), now


def _first(match: re.Match[str], now: float) -> tuple[float, float]:
    return 0.0, _seconds(match[1], match[2])


def _ago(match: re.Match[str], now: float) -> tuple[float, float]:
    return _around(now - _seconds(match[1], match[2]), now)


def _between(match: re.Match[str], now: float) -> tuple[float, float]:
    return _position(match[1] or match[2]), _position(match[3])


def _stamped(match: re.Match[str], now: float) -> tuple[float, float]:
    word, position = match[1].lower(), _position(match[2])
    if word == "at":
        return _around(position, now)
    return (position, now) if word in ("since", "after") else (0.0, position)


def _around(moment: float, now: float) -> tuple[float, float]:
    slack = max(SHARE * (now - moment), SLACK)
    return moment - slack, moment + slack


def _seconds(count: str | None, unit: str) -> float:
    """Seconds of a span; without a count ("the last minute") of one."""
    number = 1.0 if count is None else NUMBERS.get(count.lower())
    return (float(count or 1) if number is None else number) * UNITS[unit[0].lower()]


def _position(stamp: str) -> float:
    """Seconds of m:ss or h:mm:ss."""
    total = 0
    for part in stamp.split(":"):
        total = total * 60 + int(part)
    return float(total)


def _without(question: str, match: re.Match[str]) -> str:
    """The question without the clause, and without the commas and spaces it leaves."""
    before, after = question[: match.start()].rstrip(" ,"), question[match.end() :].lstrip(" ,")
    gap = " " if before and re.match(r"\w", after) else ""
    left = before + gap + after
    return left[:1].upper() + left[1:]
