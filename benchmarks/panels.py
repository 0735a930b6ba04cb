"""Figures against the length of a stream: a panel for each figure, a line for each name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.report import Row
from core.errors import ConfigError

_MARKS: Final = "osv^D<>PX*"
_ASIDE: Final = 1.03  # by what factor a name's points stand beside those of the one before

Bars = tuple[str, str]  # columns of the lower and the upper end


class Panels:
    """One picture; minutes are on a logarithmic axis, and so are figures that are never 0.

    Args:
        titles: of each panel, by the column that it shows.
        linear: columns that may be 0 or less.
    """

    def __init__(self, titles: Mapping[str, str], linear: Sequence[str] = ()) -> None:
        self._figure = Figure(figsize=(5 * len(titles), 5), layout="constrained")
        FigureCanvasAgg(self._figure)
        axes = self._figure.subplots(1, len(titles), squeeze=False)[0]
        self._axes: dict[str, Any] = dict(zip(titles, axes, strict=True))
        for column, title in titles.items():
            self._axes[column].set_title(title, fontsize=10)
            self._axes[column].set_yscale("linear" if column in linear else "log")

    def lines(self, rows: Sequence[Row], key: str, bars: Mapping[str, Bars]) -> None:
        """Draw all; where a row has no figure there is no point.

        Args:
            rows: with `minutes`, a name under `key`, and the columns.
            key: of the name.
            bars: by column, which columns say how far it may be off.
        """
        names = list(dict.fromkeys(row[key] for row in rows))
        colours = colormaps["tab10" if len(names) <= 10 else "tab20"]
        for number, name in enumerate(names):
            look = {"color": colours(number % colours.N), "marker": _MARKS[number % len(_MARKS)]}
            for place, column in enumerate(self._axes):
                own = [row for row in rows if row[key] == name and row[column] is not None]
                label = name if place == 0 else None
                self._line(column, own, bars.get(column), look | {"label": label}, number)
        self._name_lengths(sorted({row["minutes"] for row in rows}))

    def save(self, path: Path) -> None:
        """Write a PNG file.

        Raises:
            ConfigError: if it cannot be written.
        """
        self._figure.legend(loc="outside right upper", fontsize=8)
        try:
            self._figure.savefig(path, dpi=110, format="png")
        except OSError as error:
            raise ConfigError(f"--plot {path}: {error.strerror}") from None

    def _line(
        self, column: str, own: Sequence[Row], bars: Bars | None, look: Row, number: int
    ) -> None:
        axes = self._axes[column]
        minutes = [row["minutes"] * (_ASIDE**number if bars else 1) for row in own]
        axes.plot(minutes, [row[column] for row in own], **look)
        if bars:
            low, high = bars
            ends = [row[low] for row in own], [row[high] for row in own]
            axes.vlines(minutes, *ends, color=look["color"], linewidth=1)

    def _name_lengths(self, lengths: Sequence[float]) -> None:
        for axes in self._axes.values():
            axes.set_xscale("log")
            axes.set_xticks(lengths, [f"{length:g}" for length in lengths])
            axes.xaxis.minorticks_off()
            axes.yaxis.set_major_formatter("{x:g}")
            axes.set_xlabel("minutes of stream")
            axes.grid(alpha=0.3)
