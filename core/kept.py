"""Which places of one temporal step were kept: what people are shown of pruning."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KeptStep:
    """One temporal step after pruning; a kept token that others were merged into counts once."""

    time: float  # seconds, the middle of the step
    rows: int  # of visual tokens, before pruning
    columns: int
    cells: tuple[int, ...]  # kept, rising: row * columns + column
