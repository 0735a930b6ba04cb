"""First token, pace, lateness and bytes of the contenders against the length of the stream."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.panels import Panels
from benchmarks.report import Row

_TITLES: Final = {
    "ttft_p50_ms": "ms to first token while watching (p50; bar: to p95)",
    "decode_slower_percent": "% slower decoding while watching (median; bar: 95% interval)",
    "long_late_percent": "% of frames late during long answers (bar: 95% interval)",
    "held_bytes": "bytes held",
}
_BARS: Final = {
    "ttft_p50_ms": ("ttft_p50_ms", "ttft_p95_ms"),
    "decode_slower_percent": ("decode_slower_percent_low", "decode_slower_percent_high"),
    "long_late_percent": ("long_late_percent_low", "long_late_percent_high"),
}


def draw(rows: Sequence[Row], path: Path) -> None:
    """One panel each.

    Args:
        rows: of the comparison; contenders that gave up have no point at that length.
        path: of the PNG file.

    Raises:
        ConfigError: if it cannot be written.
    """
    panels = Panels(_TITLES, linear=("decode_slower_percent", "long_late_percent"))
    panels.lines(rows, "contender", _BARS)
    panels.save(path)
