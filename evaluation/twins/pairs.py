"""A pair of the set: one question about a stretch and about its twin, with both truths."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worlds.things import Thing
from worlds.twins import Stretch


@dataclass(frozen=True)
class Member:
    """One video of a pair.

    Args:
        role: "shown" or "twin"; which is which was drawn.
        shown: what is watched.
        truth: one of the pair's options, from the log of what is watched.
    """

    role: str
    shown: Stretch
    truth: str


@dataclass(frozen=True)
class Pair:
    """One question about two videos.

    Args:
        key: its name in the set.
        family: what kind of difference is asked about.
        change: which of the family's kinds it is.
        twin: how the second was made of the first: a key of `worlds.twins.TWINS`, or "order".
        held: whether it holds combinations that no training shows.
        question: put to both.
        options: what may be answered.
        members: the two.
    """

    key: str
    family: str
    change: str
    twin: str
    held: bool
    question: str
    options: tuple[str, ...]
    members: tuple[Member, Member]

    def row(self, member: Member, answer: str) -> dict[str, Any]:
        """One line of a file of answers, under the names that `lookout eval paired` reads."""
        return {
            "pair": self.key,
            "role": member.role,
            "kind": self.family,
            "change": self.change,
            "twin": self.twin,
            "combination": f"{self.family}, {'held out' if self.held else 'trained'}",
            "question": self.question,
            "options": list(self.options),
            "truth": member.truth,
            "answer": answer,
        }

    def canonical(self) -> str:
        """The pair as one line of JSON, the same on every machine: what the set's hash covers."""
        found = {
            "pair": self.key,
            "family": self.family,
            "change": self.change,
            "twin": self.twin,
            "held out": self.held,
            "question": self.question,
            "options": self.options,
            "members": [
                {"role": one.role, "truth": one.truth, "script": _script(one.shown)}
                for one in self.members
            ],
        }
        return json.dumps(found, sort_keys=True, separators=(",", ":"))


def _script(shown: Stretch) -> Mapping[str, Any]:
    behind = shown.backdrop
    return {
        "last": shown.last,
        "scenery": [behind.seed, *behind.shares, behind.origin, behind.mirrored, behind.backwards],
        "things": [_line(thing) for thing in shown.cast],
    }


def _line(thing: Thing) -> Sequence[Any]:
    way = thing.track
    return [
        [thing.born, thing.gone, thing.layer, thing.mirrored],
        int((thing.shade or 0.0) * 1000),
        [way.t, way.x, way.y, way.radius, way.angle],
        [[t, look.noun, look.colour, look.state] for t, look in thing.looks],
        thing.motions,
        thing.marks,
    ]
