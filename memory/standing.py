"""Where what a memory holds stands: read off the table of its tokens."""

from __future__ import annotations

from memory.notes import behind
from memory.snapshot import Extent
from memory.table import TokenTable


def floor(tokens: TokenTable) -> int:
    """The first free position after the fixed beginning and the notes right behind it."""
    sink = tokens.positions[tokens.sink]
    return behind(tokens, int(sink.max()) + 1) if len(sink) else 0


def oldest(tokens: TokenTable, otherwise: int) -> int:
    """Rotary position of the oldest step; `otherwise` if there is none."""
    steps = tokens.positions[tokens.step]
    return int(steps.min()) if len(steps) else otherwise


def extent(tokens: TokenTable, next_position: int, end: int) -> Extent:
    """Next position and the stretch of stream that is held."""
    times, first = tokens.time[tokens.step], oldest(tokens, next_position)
    start, stop = (float(times.min()), float(times.max())) if len(times) else (None, None)
    return Extent(next_position, floor(tokens), first, start, stop, end)


def drift(tokens: TokenTable, next_position: int) -> int:
    """Positions between the floor and the oldest step; 0 before anything was seen."""
    return oldest(tokens, next_position) - floor(tokens) if tokens.sink.any() else 0
