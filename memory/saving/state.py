"""All that a memory holds as plain values on the host: what is written to disk and read again."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from memory.notes import Note
from memory.recall.kept import Archived
from memory.table import TokenTable


@dataclass(frozen=True, slots=True, eq=False)
class MemoryState:
    """What a memory holds, free of pages; changes no more."""

    keys: Tensor  # as stored, rotated, [layers, kv_heads, held, d]; zero where nothing is held
    values: Tensor  # as keys
    rows: Tensor  # int64 [l, h, held], row of `tokens` of each slot, -1 where nothing is held
    tokens: TokenTable
    next_position: int
    next_group: int
    seen: int
    archive: Archived | None = None
    notes: tuple[Note, ...] = ()  # oldest first; their tokens are among `tokens`

    @property
    def held(self) -> int:
        """Tokens, by the head that holds most."""
        return int(self.rows.shape[-1])

    @property
    def newest(self) -> float | None:
        """Stream seconds of the newest temporal step; None if there is none."""
        times = self.tokens.time[self.tokens.step]
        return float(times.max()) if len(times) else None


def blanked(stored: Tensor, rows: Tensor) -> Tensor:
    """Zeros instead of what was left behind in slots that hold nothing.

    Args:
        stored: [layers, kv_heads, held, d].
        rows: int64 [layers or 1, kv_heads or 1, held], -1 where nothing is held.
    """
    return stored.masked_fill((rows < 0)[..., None].to(stored.device), 0).cpu()
