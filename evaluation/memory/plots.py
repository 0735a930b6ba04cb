"""Right answers of every memory, group by group."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from core.errors import ConfigError
from evaluation.memory.results import BLACK, DENSE
from evaluation.memory.suites import NOW, SUITES
from evaluation.memory.tables import Tables
from memory.presets import LOOKOUT, RECENT_4

_CONTROLS: Final[dict[str, dict[str, Any]]] = {
    BLACK: {"color": "black", "linestyle": ":", "linewidth": 1.6},
    DENSE: {"color": "0.5", "linestyle": "--", "linewidth": 2.0},
    RECENT_4: {"color": "black", "linestyle": "--", "linewidth": 2.2},
    LOOKOUT: {"color": "crimson", "linewidth": 2.6},
}
_MARKS: Final = "osv^D<>PX*"


def draw(tables: Tables, suite: str, path: Path) -> None:
    """Write one picture of a suite: a curve for each memory over the groups, controls in black.

    Args:
        tables: computed.
        suite: one of them.
        path: of the PNG file.

    Raises:
        ConfigError: if it cannot be written.
    """
    lines = tables[suite]
    groups = [g for g in SUITES[suite].groups if any(g in line.groups for line in lines)]
    figure = Figure(figsize=(10, 6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    colours = colormaps["tab20"]
    for number, line in enumerate(lines):
        places = [place for place, name in enumerate(groups) if name in line.groups]
        look: dict[str, Any] = {"color": colours(number % colours.N), "linewidth": 1.1}
        look |= _CONTROLS.get(line.memory, {})
        shift = 0.0
        if suite == NOW:  # kinds of questions have no order
            look["linestyle"], shift = "none", 0.6 * (number / len(lines) - 0.5)
        axes.plot(
            [place + shift for place in places],
            [100 * line.groups[groups[place]]["accuracy"] for place in places],
            marker=_MARKS[number % len(_MARKS)],
            markersize=6,
            label=f"{line.memory} {100 * line.whole['accuracy']:.1f}",
            **look,
        )
    axes.set_xticks(range(len(groups)), groups)
    axes.set_xlabel(SUITES[suite].axis)
    axes.set_ylabel("right answers, percent")
    axes.set_title(f"{suite}: {lines[0].whole['n']} questions, every memory at equal bytes")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=8)
    try:
        figure.savefig(path, dpi=110, format="png")
    except OSError as error:
        raise ConfigError(f"--plots: {path}: {error.strerror}") from None
