"""The learning curves of a run as a picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_MEASURES: Final = (
    "answers", "colour", "noun", "motion", "ones", "where", "count", "exist", "read", "direction",
    "order", "happened", "when", "recall", "alert",
)  # fmt: skip


def draw_curves(folder: Path, phases: Sequence[str]) -> bool:
    """Draw loss and accuracies of each phase over time into `folder/curves.png`.

    Args:
        folder: where the phases' logs are.
        phases: their names.

    Returns:
        whether it was drawn; not without matplotlib, which is an extra.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(4 * len(phases), 3.2), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(phases), squeeze=False)[0], phases, strict=True):
        lines = (folder / f"{name}.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        minutes = [row["seconds"] / 60 for row in rows]
        top = max(row["loss"] for row in rows)
        axes.plot(minutes, [row["loss"] / top for row in rows], "k:", label=f"loss / {top:.1f}")
        for measure in _MEASURES:
            points = [(m, r[measure]) for m, r in zip(minutes, rows, strict=True) if measure in r]
            if points:
                wide = 2.0 if measure == "answers" else 1.0
                line = _MEASURES.index(measure)
                style = {"color": f"C{line % 10}", "linestyle": "-" if line < 10 else "--"}
                axes.plot(*zip(*points, strict=True), label=measure, linewidth=wide, **style)
        axes.set(title=name, xlabel="minutes", ylim=(0, 1.02))
        axes.legend(fontsize=6, ncols=2)
    figure.savefig(folder / "curves.png", dpi=110)
    return True
