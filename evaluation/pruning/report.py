"""`python -m evaluation.pruning.report RESULT.json...`: results into Markdown tables and plots."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.errors import ConfigError, LookoutError
from evaluation.pruning.methods import INGEST
from evaluation.pruning.results import Result, load, pool
from evaluation.pruning.suites import CALM, FAMILIES
from evaluation.pruning.tables import NO_LOSS, Line, Tables, compute


def main(argv: Sequence[str]) -> int:
    """Print the tables; 0 when printed, 1 for unusable data, 2 for a wrong call."""
    parser = argparse.ArgumentParser("python -m evaluation.pruning.report", description=__doc__)
    parser.add_argument("results", type=Path, nargs="+", help="of lookout eval pruning --json")
    parser.add_argument("--plots", type=Path, help="existing folder for one picture of each suite")
    options = parser.parse_args(argv)
    try:
        result = pool([load(path) for path in options.results])
        tables = compute(result)
        if options.plots:
            _draw(tables, options.plots)
    except LookoutError as error:
        print(f"evaluation.pruning.report: {error}", file=sys.stderr)
        return error.exit_status
    for line in markdown(result, tables):
        print(line)
    return 0


def markdown(result: Result, tables: Tables) -> Iterator[str]:
    """All tables.

    Args:
        result: pooled.
        tables: of it.
    """
    header = result.header
    digest = (header["weights"] or "unknown")[:12]
    yield (
        f"Model {header['model']} (weights {digest}), seed {header['seed']}, segments of at most "
        f"{header['segment']} temporal steps. Shares in percent; p: exact McNemar test on the same "
        "questions, against dense and against random tokens at the same share, not corrected for "
        "the number of comparisons, with an arrow for the direction."
    )
    for suite, lines in tables.suites.items():
        families = [name for name in FAMILIES if name in tables.dense[suite].families]
        yield ""
        yield f"**{suite}**, {tables.dense[suite].right.n} questions ({_counts(tables, suite)})"
        for moment in dict.fromkeys(line.moment for line in lines):
            yield ""
            chooses = "while frames arrive" if moment == INGEST else "when a question comes"
            yield f"Chosen {chooses}:"
            yield ""
            yield from _table([line for line in lines if line.moment == moment], families)
    if CALM in tables.suites:
        yield ""
        yield from _free(tables)


def _counts(tables: Tables, suite: str) -> str:
    return ", ".join(f"{name} {s.n}" for name, s in tables.dense[suite].families.items())


def _table(lines: Sequence[Line], families: Sequence[str]) -> Iterator[str]:
    columns = ["method", "asked", "kept", "right", "interval", "p dense", "p random", *families]
    yield f"| {' | '.join(columns)} |"
    yield "|" + "---|" * len(columns)
    for line in lines:
        low, high = line.right.interval
        cells = [
            line.label,
            "own" if line.asked is None else f"{100 * line.asked:.0f}",
            f"{100 * line.kept:.1f}",
            f"{100 * line.right.value:.1f}",
            f"{100 * low:.1f} to {100 * high:.1f}",
            line.dense.marked,
            line.random.marked,
            *(f"{100 * line.families[name].value:.1f}" for name in families),
        ]
        yield f"| {' | '.join(cells)} |"


def _free(tables: Tables) -> Iterator[str]:
    """What a fixed camera saves at no loss."""
    yield (
        f"**Fixed cameras**: the smallest share kept at no loss, that is at most "
        f"{100 * NO_LOSS:.0f} point below dense and not surely (p < 0.05) below it"
    )
    yield ""
    yield "| method | kept | right | dense |"
    yield "|---|---|---|---|"
    dense = 100 * tables.dense[CALM].right.value
    found = tables.free(CALM)
    for line in found:
        cells = (100 * line.kept, 100 * line.right.value, dense)
        yield f"| {line.label} | {' | '.join(f'{cell:.1f}' for cell in cells)} |"
    missing = dict.fromkeys(line.label for line in tables.suites[CALM])
    for line in found:
        missing.pop(line.label)
    if missing:
        yield ""
        yield f"At none of their shares: {', '.join(missing)}."


def _draw(tables: Tables, folder: Path) -> None:
    try:
        from evaluation.pruning.plots import draw
    except ImportError:
        raise ConfigError("--plots needs matplotlib: pip install lookout-live[eval]") from None
    for suite in tables.suites:
        draw(tables, suite, folder / f"pruning-{suite}.png")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
