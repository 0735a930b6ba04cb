"""What one sequence brings to a packed forward."""

from __future__ import annotations

from dataclasses import dataclass

from memory.observation import Observed
from memory.scratch import Scratch
from memory.view import View
from models.layout import Chunk


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One sequence's tokens in the next forward."""

    chunk: Chunk
    memory: View | None  # read whole
    scratch: Scratch  # extended by the chunk
    observed: Observed | None = None  # notes what the chunk asks with
    visual_only: bool = False  # notes what places of pictures ask with, not marks and words
