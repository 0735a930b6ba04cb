"""Time to the first token, frames late and bytes against the length of the stream."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.report import Row
from core.errors import ConfigError

_PANELS: Final = {
    "ttft_p50_ms": "ms to first token while watching (p50; bar: p95)",
    "late_percent_speaking": "% of frames late while speaking",
    "held_bytes": "bytes held",
}
_MARKS: Final = "osv^D"


def draw(rows: Sequence[Row], path: Path) -> None:
    """One panel each.

    Args:
        rows: of the comparison; contenders that gave up have no point at that length.
        path: of the PNG file.

    Raises:
        ConfigError: if it cannot be written.
    """
    figure = Figure(figsize=(14, 5), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(_PANELS))
    for number, name in enumerate(dict.fromkeys(row["contender"] for row in rows)):
        own = [row for row in rows if row["contender"] == name and row["ttft_p50_ms"] is not None]
        minutes = [row["minutes"] for row in own]
        mark = {"marker": _MARKS[number % len(_MARKS)], "color": f"C{number}"}
        for axes, column in zip(panels, _PANELS, strict=True):
            values = [row[column] for row in own]
            axes.plot(minutes, values, label=name if column == "ttft_p50_ms" else None, **mark)
        tops = [row["ttft_p95_ms"] for row in own]
        panels[0].vlines(minutes, [r["ttft_p50_ms"] for r in own], tops, color=f"C{number}")
    lengths = sorted({row["minutes"] for row in rows})
    for axes, title in zip(panels, _PANELS.values(), strict=True):
        axes.set_xscale("log")
        axes.set_xticks(lengths, [f"{length:g}" for length in lengths])
        axes.minorticks_off()
        axes.set_xlabel("minutes of stream")
        axes.set_title(title, fontsize=10)
        axes.grid(alpha=0.3)
    panels[0].set_yscale("log")
    panels[1].set_ylim(-2, 102)
    panels[2].set_yscale("log")
    figure.legend(loc="outside right upper", fontsize=9)
    try:
        figure.savefig(path, dpi=110, format="png")
    except OSError as error:
        raise ConfigError(f"--plot {path}: {error.strerror}") from None
