"""Notes in a memory: short texts about stretches of a stream that outlive what was seen in them.

A part of the capacity is set aside for them, which steps never take: the oldest note goes when a
new one finds no room, and nothing else ever makes one go. Every head holds all of them. Memory
policies are shown a memory without notes, so that each works with them as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from core.sending import sent
from memory.policies.policy import Contents
from memory.table import TokenTable


@dataclass(frozen=True, slots=True)
class Note:
    """A text and what it is about.

    Its tokens are kept because a note that stays is computed anew at other positions.
    """

    t_start: float  # stream seconds
    t_end: float  # rises from note to note
    ids: tuple[int, ...]  # of all tokens, as they were prefilled

    def __len__(self) -> int:
        """Tokens."""
        return len(self.ids)


def fitting(notes: Iterable[Note], room: int) -> list[Note]:
    """The newest of them whose tokens fit into a room, oldest first.

    Args:
        notes: oldest first.
        room: tokens.
    """
    found: list[Note] = []
    for note in reversed(list(notes)):
        room -= len(note)
        if room < 0:
            break
        found.append(note)
    return found[::-1]


def before(notes: Iterable[Note], tokens: TokenTable, position: int) -> list[Note]:
    """Those that stand before a position."""
    early = set(tokens.time[tokens.note & (tokens.positions[:, 0] < position)].tolist())
    return [note for note in notes if note.t_end in early]


def behind(tokens: TokenTable, floor: int) -> int:
    """The first position from `floor` on where no note stands."""
    taken = set(tokens.positions[tokens.note, 0].tolist())
    while floor in taken:
        floor += 1
    return floor


def without_notes(contents: Contents) -> Contents:
    """What a policy is shown: all but the notes, as if they were not there."""
    note = contents.tokens.note
    if not note.any():
        return contents
    number = torch.from_numpy(np.where(note, -1, np.cumsum(~note) - 1))
    held = contents.at_host
    rows = torch.where(held.filled, number[held.rows.clamp(min=0)], -1)
    slots, likeness = contents.slots, contents.likeness
    if rows.shape[:2] == (1, 1):  # such policies count on slots without holes
        kept = (rows[0, 0] >= 0).nonzero()[:, 0]
        rows, slots = rows[..., kept], slots[sent(kept, slots.device)]
    if likeness is not None:
        own = torch.from_numpy(np.flatnonzero(~note))
        likeness = likeness[:, sent(own, likeness.device)]
    tokens, there = contents.tokens.rows(~note), sent(rows, contents.rows.device)
    return replace(contents, tokens=tokens, rows=there, slots=slots, likeness=likeness, host=rows)


def with_notes(stay: Tensor, contents: Contents) -> Tensor:
    """What stays of the whole, bool as `contents.rows`: what a policy says and the notes.

    Args:
        stay: as the policy says it of `without_notes(contents)`.
        contents: the whole.
    """
    note = contents.column(contents.tokens.note) & contents.filled
    if stay.shape == note.shape:
        return stay | note
    whole = note.clone()
    whole[..., ~note[0, 0]] = stay
    return whole
