"""Instances as in TimeBlind: two complementary questions about two videos, four rows.

Columns, by the benchmark's own names: `index` (instance `index // 4`, role `index % 4`),
`question`, `model_output` (our field `answer`), and if there are any `answer` (our field `truth`),
`type` (`yes_no` or `multiple_choice`; else the question's last words say it) and `kind`. Instead of
`index` a row may hold `pair` and `role`, one of q0_i0, q0_i1, q1_i0, q1_i1.

Yes and A are right for the first question about the first video and the second about the second;
no and B for the other two. A truth in the file is held against that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from evaluation.paired.choices import YES_NO, Choices, from_question, normal
from evaluation.paired.groups import Group, Item, gathered, kind_of, same
from evaluation.paired.judging import Judged
from evaluation.paired.rows import Row
from evaluation.paired.shares import Share, share

FIELDS = ("index", "pair", "role", "question", "truth", "answer", "kind", "type")
COLUMNS: Mapping[str, str] = {"truth": "answer", "answer": "model_output"}

ROLES: Final = ("q0_i0", "q0_i1", "q1_i0", "q1_i1")
_FIRST: Final = {"q0_i0": True, "q0_i1": False, "q1_i0": False, "q1_i1": True}  # yes or A is right
_LETTERS: Final = Choices(("a", "b"), lettered=True)


def groups(rows: Sequence[Row]) -> list[Group]:
    """The instances of a file, in the order of their keys.

    Raises:
        DataError: a row lacks a field, a truth is not the one of its role, an instance has a role
            twice or two kinds, or one question differs between the videos.
    """
    found = gathered(((*_position(row), row) for row in rows), len(ROLES))
    return [_instance(key, members) for key, members in found.items()]


def measures(judged: Sequence[Judged]) -> dict[str, Share]:
    """Acc, Q_Acc (one question, both videos), V_Acc (one video, both questions), I_Acc (all)."""
    rights = [one.right for one in judged]
    return {
        **share("acc", [right for four in rights for right in four], 1 / 2),
        **share("q_acc", [b for r in rights for b in (r[0] and r[1], r[2] and r[3])], 1 / 4),
        **share("v_acc", [b for r in rights for b in (r[0] and r[2], r[1] and r[3])], 1 / 4),
        **share("i_acc", [one.all for one in judged], 1 / 16),
    }


def _position(row: Row) -> tuple[str, str]:
    if row.raw("index") is None and row.raw("pair") is not None:
        role = row.text("role")
        if role not in ROLES:
            raise row.wrong("role", f"one of {', '.join(ROLES)}")
        return row.text("pair"), role
    index = row.text("index")
    if not (index.isascii() and index.isdigit()):
        raise row.wrong("index", "a whole number from 0 on")
    instance, role_number = divmod(int(index), len(ROLES))
    return str(instance), ROLES[role_number]


def _instance(key: str, members: Sequence[tuple[str, Row]]) -> Group:
    rows = [row for _, row in members]
    kinds = [kind_of(row, "instances") for row in rows]
    same("kind", rows, kinds)
    items = tuple(_item(role, row) for role, row in members)
    for question in ("q0", "q1"):
        asked = [n for n, item in enumerate(items) if item.role.startswith(question)]
        about = [rows[n] for n in asked]
        same("question", about, [normal(items[n].question) for n in asked])
        same("type", about, [items[n].choices for n in asked])
    return Group(key, kinds[0], len(ROLES), items)


def _item(role: str, row: Row) -> Item:
    question = row.text("question")
    choices = _choices(row, question)
    truth = choices.texts[0 if _FIRST[role] else 1]
    written = row.optional("truth")
    if written is not None and choices.named(normal(written)) != truth:
        raise row.wrong("truth", f"{truth!r}, which role {role} has")
    return Item(row.place, role, question, choices, truth, row.optional("answer"))


def _choices(row: Row, question: str) -> Choices:
    written = row.optional("type")
    asked = normal(question)
    if written == "yes_no" or (written is None and asked.endswith("output yes or no")):
        return YES_NO
    if written == "multiple_choice" or (written is None and asked.endswith("output a or b")):
        return _lettered(row, question)
    raise row.wrong("type", "yes_no or multiple_choice")


def _lettered(row: Row, question: str) -> Choices:
    try:
        choices = from_question(question) or _LETTERS
    except ValueError as error:
        raise row.wrong("question", f"a question with two options: {error}") from error
    if len(choices.texts) != 2:
        raise row.wrong("question", "a question with two options")
    return choices
