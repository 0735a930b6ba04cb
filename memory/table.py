"""What is known of every token that a memory holds: columns, one row per token."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

SINK = -1  # group of the fixed beginning
NOTE = -2  # group of all notes, which are told apart by their times
# Kinds: words and marks; places of a picture; made of others; places averaged over pictures.
TEXT, VISUAL, SUMMARY, MERGED = 0, 1, 2, 3


@dataclass(slots=True)
class TokenTable:
    """Columns of equal length, one row per token."""

    positions: NDArray[np.int64]  # [n, 3] rotary (t, h, w)
    group: NDArray[np.int64]  # [n] running number of the temporal step; or `SINK`, or `NOTE`
    time: NDArray[np.float64]  # [n] stream seconds of the step or of a note's end, NaN for the sink
    kind: NDArray[np.int8]  # [n] `TEXT`, `VISUAL`, `SUMMARY` or `MERGED`

    def __len__(self) -> int:
        return len(self.group)

    @staticmethod
    def empty() -> TokenTable:
        """No rows."""
        return TokenTable(
            np.empty((0, 3), np.int64),
            np.empty(0, np.int64),
            np.empty(0, np.float64),
            np.empty(0, np.int8),
        )

    @staticmethod
    def of_notes(positions: NDArray[np.int64], times: NDArray[np.float64]) -> TokenTable:
        """The tokens of notes.

        Args:
            positions: rotary (t, h, w), [n, 3].
            times: stream seconds of each token's note, [n].
        """
        n = len(positions)
        return TokenTable(positions, np.full(n, NOTE), times, np.full(n, TEXT, np.int8))

    @property
    def sink(self) -> NDArray[np.bool_]:
        """Which rows are the fixed beginning, [n]."""
        found: NDArray[np.bool_] = self.group == SINK
        return found

    @property
    def note(self) -> NDArray[np.bool_]:
        """Which rows are notes, [n]."""
        found: NDArray[np.bool_] = self.group == NOTE
        return found

    @property
    def step(self) -> NDArray[np.bool_]:
        """Which rows belong to temporal steps: neither the fixed beginning nor notes, [n]."""
        found: NDArray[np.bool_] = self.group >= 0
        return found

    @property
    def visual(self) -> NDArray[np.bool_]:
        """Which rows are places of pictures, [n]."""
        found: NDArray[np.bool_] = (self.kind == VISUAL) | (self.kind == MERGED)
        return found

    def newest(self, room: int) -> NDArray[np.int64]:
        """Rows that fit into a room: whole steps, the newest, or the last tokens of the last."""
        if len(self) <= room:
            return np.arange(len(self))
        groups = np.unique(self.group)
        kept = next((g for g in groups if int((self.group >= g).sum()) <= room), groups[-1])
        found = np.flatnonzero(self.group >= kept)
        return found[max(0, len(found) - room) :]

    def cut(self, chosen: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which rows belong to steps of which no row was chosen, [n]."""
        found: NDArray[np.bool_] = self.step & ~np.isin(self.group, self.group[chosen])
        return found

    def rows(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> TokenTable:
        """The chosen rows, copied."""
        return TokenTable(*(getattr(self, f.name)[chosen] for f in fields(self)))

    def joined(self, other: TokenTable) -> TokenTable:
        """These rows, then the other's."""
        return TokenTable(
            *(np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self))
        )


def described(
    positions: NDArray[np.int64],
    times: NDArray[np.float64] | None,
    visual: NDArray[np.bool_] | None,
    group: int,
) -> TokenTable:
    """A table of tokens as they come in.

    Args:
        positions: rotary (t, h, w), [n, 3].
        times: stream seconds of each token's temporal step, non-decreasing [n]; tokens of one time
            are one group. None marks the sink.
        visual: which are places of pictures, [n]; None: none of them.
        group: number of the first step.
    """
    n = len(positions)
    kind = np.where(np.zeros(n, bool) if visual is None else visual, VISUAL, TEXT).astype(np.int8)
    if times is None:
        return TokenTable(positions, np.full(n, SINK, np.int64), np.full(n, np.nan), kind)
    starts = np.concatenate([[False], times[1:] != times[:-1]]) if n else np.empty(0, bool)
    groups = group + np.cumsum(starts).astype(np.int64)
    return TokenTable(positions, groups, times.astype(np.float64), kind)
