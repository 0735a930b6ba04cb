"""Right answers against visual tokens kept, one curve for each method."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any, Final

from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from core.errors import ConfigError
from evaluation.pruning.tables import DENSE, RANDOM, UNIFORM, Line, Tables

_CONTROLS: Final[dict[str, dict[str, Any]]] = {
    RANDOM: {"color": "black", "linestyle": "--", "linewidth": 2.2},
    UNIFORM: {"color": "black", "linestyle": ":", "linewidth": 2.2},
}
_MARKS: Final = "osv^D<>PX*"
_TICKS: Final = (2, 5, 10, 15, 25, 50, 100)


def draw(tables: Tables, suite: str, path: Path) -> None:
    """Write one picture: the curves of a suite, with dense as a band and the controls in black.

    Args:
        tables: computed.
        suite: one of them.
        path: of the PNG file.

    Raises:
        ConfigError: if it cannot be written.
    """
    curves: dict[str, list[Line]] = defaultdict(list)
    for line in tables.suites[suite]:
        curves[line.label].append(line)
    dense = tables.dense[suite]
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    low, high = dense.right.interval
    axes.axhspan(100 * low, 100 * high, color="0.92", label="dense, 95% interval")
    axes.axhline(100 * dense.right.value, color="0.55", linewidth=1)
    colours = colormaps["tab20"]
    for number, (label, lines) in enumerate(curves.items()):
        if label == DENSE:
            continue
        ranked = sorted(lines, key=lambda line: line.kept)
        plain = {"color": colours(number % colours.N), "linewidth": 1.1}
        axes.plot(
            [100 * line.kept for line in ranked],
            [100 * line.right.value for line in ranked],
            marker=_MARKS[(number + number // colours.N) % len(_MARKS)],
            markersize=4,
            label=label,
            **_CONTROLS.get(label, plain),
        )
    axes.set_xscale("log")
    axes.set_xticks(_TICKS, [f"{tick}" for tick in _TICKS])
    axes.minorticks_off()
    axes.set_xlabel("visual tokens kept, percent (measured)")
    axes.set_ylabel("right answers, percent")
    axes.set_title(f"{suite}: {dense.right.n} questions")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=7)
    try:
        figure.savefig(path, dpi=110)
    except OSError as error:
        raise ConfigError(f"--plots: {path}: {error.strerror}") from None
