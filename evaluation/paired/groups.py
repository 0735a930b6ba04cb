"""Questions that count together: the two of a pair, or the four of an instance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from core.errors import DataError
from evaluation.paired.choices import Choices
from evaluation.paired.rows import Row

ALL: Final = "all"  # what the total over all kinds is called


@dataclass(frozen=True, slots=True)
class Item:
    """One question about one video.

    Args:
        place: file and line of the row.
        role: which member of its group; at least distinct there.
        question: as asked.
        choices: what may be answered.
        truth: one of `choices.texts`.
        answer: the model's reply; None where it was never given.
    """

    place: str
    role: str
    question: str
    choices: Choices
    truth: str
    answer: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """Items that are right together or not at all.

    Args:
        key: its name in the file.
        kind: of question.
        size: items of a complete group.
        items: in the order of their roles; fewer than `size` where rows are missing.
        static: whether all truths are the same, so that the answer must not change.
    """

    key: str
    kind: str
    size: int
    items: tuple[Item, ...]
    static: bool = False

    @property
    def complete(self) -> bool:
        """Whether every item is there and was answered."""
        answered = [item for item in self.items if item.answer is not None]
        return len(answered) == self.size


def require_complete(groups: Iterable[Group]) -> None:
    """Refuse groups with missing rows or answers.

    Raises:
        DataError: names the first such group.
    """
    for group in groups:
        if group.complete:
            continue
        silent = [item.place for item in group.items if item.answer is None]
        what = (
            f"no answer at {', '.join(silent)}"
            if silent
            else f"{len(group.items)} of {group.size} rows "
            f"({', '.join(item.place for item in group.items)})"
        )
        raise DataError(f"{group.key!r} is incomplete: {what}")


def gathered(
    members: Iterable[tuple[str, str, Row]], size: int
) -> Mapping[str, Sequence[tuple[str, Row]]]:
    """Rows by group, each group in the order of its roles.

    Args:
        members: key, role and row.
        size: most rows of a group.

    Raises:
        DataError: two rows have one role, or a group has too many.
    """
    found: dict[str, dict[str, Row]] = {}
    for key, role, row in members:
        group = found.setdefault(key, {})
        if role in group:
            raise DataError(
                f"{row.place}: {key!r} has role {role!r} already at {group[role].place}"
            )
        group[role] = row
        if len(group) > size:
            places = ", ".join(one.place for one in group.values())
            raise DataError(f"{key!r} has more than {size} rows: {places}")
    return {key: sorted(found[key].items()) for key in sorted(found)}


def kind_of(row: Row, default: str) -> str:
    """The kind of question a row holds.

    Raises:
        DataError: it has the name under which the total is reported.
    """
    kind = row.optional("kind") or default
    if kind == ALL:
        raise row.wrong("kind", f"a name of its own: {ALL!r} is the total")
    return kind


def same(field: str, rows: Sequence[Row], values: Sequence[object]) -> None:
    """Refuse rows of one group that differ where they must not.

    Raises:
        DataError: names the first two rows that differ.
    """
    for row, value in zip(rows[1:], values[1:], strict=True):
        if value != values[0]:
            raise DataError(
                f"{row.place}: another {field} than at {rows[0].place}, "
                f"but the members of a pair may differ in their video only"
            )
