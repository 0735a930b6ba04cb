"""Pairs as in DyBench: one question about a video and about its flipped or reversed twin.

Columns: `pair`, `role` (anything that tells the two members apart), `question`, `truth`, `answer`
(the model's), and if there are any `kind`, `options`, and `static` (true where the answer must not
change). DyBench (arXiv 2605.21988) does not show its own names where we could read them; map them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from core.errors import DataError
from evaluation.paired.choices import Choices, from_options, from_question, from_truths, normal
from evaluation.paired.groups import Group, Item, gathered, kind_of, same
from evaluation.paired.judging import Judged
from evaluation.paired.rows import Row
from evaluation.paired.shares import Share, mean, share

FIELDS = ("pair", "role", "question", "truth", "answer", "kind", "options", "static")
COLUMNS: Mapping[str, str] = {}  # by their own names


def groups(rows: Sequence[Row]) -> list[Group]:
    """The pairs of a file, in the order of their keys.

    Without options, neither in a column nor line by line in the question, the choices are all
    truths of the same kind.

    Raises:
        DataError: a row lacks a field, a truth is none of the options, or a pair has a third
            member, two questions, two kinds, or truths that belie its `static`.
    """
    found = gathered(((row.text("pair"), row.text("role"), row) for row in rows), 2)
    vocabulary = _Vocabulary(rows)
    return [_pair(key, members, vocabulary) for key, members in found.items()]


def measures(judged: Sequence[Judged]) -> dict[str, Share]:
    """Acc and P-Acc of dynamic pairs, and whether their answers differ; the same of static ones.

    Chance is that of guessing evenly among the choices. An unreadable answer neither differs from
    another nor agrees with it.
    """
    moving = [one for one in judged if not one.group.static]
    still = [one for one in judged if one.group.static]
    return {
        **_rights("", moving),
        **share("differ", [_relation(one, True) for one in moving], 1 - mean(map(_guess, moving))),
        **_rights("static_", still),
        **share("static_agree", [_relation(one, False) for one in still], mean(map(_guess, still))),
    }


def _rights(prefix: str, judged: Sequence[Judged]) -> dict[str, Share]:
    single = [right for one in judged for right in one.right]
    guesses = [_guess(one) for one in judged]
    return {
        **share(f"{prefix}acc", single, mean(guesses)),
        **share(f"{prefix}p_acc", [one.all for one in judged], mean(g * g for g in guesses)),
    }


def _relation(one: Judged, differ: bool) -> bool:
    if not one.group.complete or None in one.said:
        return False
    return (one.said[0] != one.said[1]) == differ


def _guess(one: Judged) -> float:
    return 1 / len(one.group.items[0].choices.texts)


def _kind(row: Row) -> str:
    return kind_of(row, "pairs")


class _Vocabulary:
    """All truths of each kind, for questions without options.

    Args:
        rows: of the whole file.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._truths: dict[str, list[str]] = defaultdict(list)
        for row in rows:
            self._truths[_kind(row)].append(row.text("truth"))
        self._choices: dict[str, Choices] = {}

    def choices(self, row: Row) -> Choices:
        """What may be answered to this row's question."""
        options = row.raw("options")
        try:
            if options is not None:
                return from_options(options)
            return from_question(row.text("question")) or self._closed(_kind(row))
        except ValueError as error:
            raise DataError(f"{row.place}: {error}") from error

    def _closed(self, kind: str) -> Choices:
        if kind not in self._choices:
            self._choices[kind] = from_truths(self._truths[kind])
        return self._choices[kind]


def _pair(key: str, members: Sequence[tuple[str, Row]], vocabulary: _Vocabulary) -> Group:
    rows = [row for _, row in members]
    same("kind", rows, [_kind(row) for row in rows])
    same("question", rows, [normal(row.text("question")) for row in rows])
    same("list of options", rows, [vocabulary.choices(row) for row in rows])
    items = tuple(_item(role, row, vocabulary.choices(row)) for role, row in members)
    return Group(key, _kind(rows[0]), 2, items, _static(rows, items))


def _item(role: str, row: Row, choices: Choices) -> Item:
    truth = choices.named(normal(row.text("truth")))
    if truth is None:
        raise row.wrong("truth", f"one of {', '.join(choices.texts)}")
    return Item(row.place, role, row.text("question"), choices, truth, row.optional("answer"))


def _static(rows: Sequence[Row], items: Sequence[Item]) -> bool:
    declared = [row.flag("static") for row in rows]
    if len(items) < 2:  # the other truth is not known, so the row's word is taken
        return bool(declared[0])
    static = items[0].truth == items[1].truth
    for row, word in zip(rows, declared, strict=True):
        if word is not None and word != static:
            raise row.wrong("static", f"{static}, as the two truths of the pair say".lower())
    return static
