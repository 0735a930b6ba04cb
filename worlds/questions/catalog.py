"""All kinds of questions by the name of their task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from numpy.random import Generator

from worlds.questions import now, past, standing
from worlds.questions.moment import Moment, Question, clear
from worlds.wording import NOW

MAKERS: Final[dict[str, Callable[[Moment, Generator], Question | None]]] = {
    "colour": now.colour,
    "shape": now.shape,
    "name": now.name,
    "where": now.where,
    "count": now.count,
    "exist": now.exist,
    "direction": now.direction,
    "read": now.read,
    "state": now.state,
    "describe": now.describe,
    "appeared": past.appeared,
    "order": past.order,
    "happened": past.happened,
    "taken": past.taken,
    "when": past.when,
    "recall": past.recall,
    "total": past.total,
    "unseen": past.unseen,
    "note": standing.note,
    "alert": standing.alert,
}


def ask(moment: Moment, task: str, rng: Generator) -> Question | None:
    """One question of a kind about a moment, or None where no such question has a sure answer.

    Args:
        moment: when, and how far back is remembered.
        task: a key of `MAKERS`.
        rng: chooses the thing asked about and the words.
    """
    if task in NOW and not clear(moment.stage, moment.t):
        return None
    return MAKERS[task](moment, rng)
