"""Cost of every memory preset against the length of the stream."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.panels import Panels
from benchmarks.report import Row

_TITLES: Final = {
    "held_bytes": "bytes held",
    "ms_per_segment": "ms per segment",
    "ms_to_first_token": "ms to first token",
}


def draw(rows: Sequence[Row], path: Path) -> None:
    """One panel each for bytes, time of a segment and time to the first token.

    Args:
        rows: of the benchmark.
        path: of the PNG file.

    Raises:
        ConfigError: if it cannot be written.
    """
    panels = Panels(_TITLES)
    panels.lines(rows, "preset", {})
    panels.save(path)
