"""A memory's notes as named tensors, and back."""

from __future__ import annotations

import torch
from torch import Tensor

from memory.notes import Note
from memory.saving.checking import Checked, demand
from memory.table import TokenTable

IDS, LENGTHS, SPANS = "notes.ids", "notes.lengths", "notes.spans"


def pack_notes(notes: tuple[Note, ...]) -> dict[str, Tensor]:
    """What is not in the table of tokens; nothing where there are no notes."""
    if not notes:
        return {}
    return {
        IDS: torch.tensor([i for note in notes for i in note.ids]),
        LENGTHS: torch.tensor([len(note) for note in notes]),
        SPANS: torch.tensor([(note.t_start, note.t_end) for note in notes], dtype=torch.float64),
    }


def unpack_notes(
    read: Checked, table: TokenTable, rows: Tensor, *, there: bool
) -> tuple[Note, ...]:
    """What `pack_notes` was given.

    Args:
        read: what was read.
        table: the memory's tokens, checked.
        rows: which token each slot of each head holds, checked, int64 [l, h, held].
        there: whether there are notes in it.

    Raises:
        MemoryDamaged: if they are not as they are in every memory.
    """
    own = torch.from_numpy(table.note)
    if not there:
        demand(not own.any(), "a note says nothing")
        return ()
    spans = read.take(SPANS, torch.float64, None, 2)
    lengths = read.take(LENGTHS, torch.int64, len(spans))
    ids = read.take(IDS, torch.int64, int(own.sum()))
    demand(bool((lengths > 0).all()) and int(lengths.sum()) == len(ids), "notes are cut short")
    demand((ids >= 0).all(), "a note says what nobody can read")
    ends = spans[:, 1]
    demand((spans[:, 0] <= ends).all() and bool((ends[1:] > ends[:-1]).all()), "notes are muddled")
    times = torch.from_numpy(table.time)[own].sort().values
    demand(torch.equal(times, ends.repeat_interleave(lengths)), "a note's tokens are missing")
    held = own[rows.clamp(min=0)] & (rows >= 0)
    demand((held.sum(-1) == len(ids)).all(), "a head lacks a note")
    parts = torch.split(ids, lengths.tolist())
    return tuple(
        Note(start, end, tuple(part.tolist()))
        for (start, end), part in zip(spans.tolist(), parts, strict=True)
    )
