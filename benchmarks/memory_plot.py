"""Cost of every memory preset against the length of the stream."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.report import Row
from core.errors import ConfigError

_PANELS: Final = {
    "held_bytes": "bytes held",
    "ms_per_segment": "ms per segment",
    "ms_to_first_token": "ms to first token",
}
_MARKS: Final = "osv^D<>PX*"


def draw(rows: Sequence[Row], path: Path) -> None:
    """One panel each for bytes, time of a segment and time to the first token.

    Args:
        rows: of the benchmark.
        path: of the PNG file.

    Raises:
        ConfigError: if it cannot be written.
    """
    figure = Figure(figsize=(14, 5), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(_PANELS))
    colours = colormaps["tab20"]
    for number, preset in enumerate(dict.fromkeys(row["preset"] for row in rows)):
        own = [row for row in rows if row["preset"] == preset]
        for axes, column in zip(panels, _PANELS, strict=True):
            axes.plot(
                [row["minutes"] for row in own],
                [row[column] for row in own],
                marker=_MARKS[number % len(_MARKS)],
                color=colours(number % colours.N),
                label=preset if column == next(iter(_PANELS)) else None,
            )
    for axes, title in zip(panels, _PANELS.values(), strict=True):
        axes.set_xscale("log")
        lengths = sorted({row["minutes"] for row in rows})
        axes.set_xticks(lengths, [f"{minutes:g}" for minutes in lengths])
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.set_xlabel("minutes of stream")
        axes.set_title(title)
        axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=8)
    try:
        figure.savefig(path, dpi=110, format="png")
    except OSError as error:
        raise ConfigError(f"--plot {path}: {error.strerror}") from None
