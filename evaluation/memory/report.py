"""`python -m evaluation.memory.report RESULT.json...`: results into Markdown tables and plots."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.errors import ConfigError, LookoutError
from evaluation.memory.results import BLACK, DENSE, Result, load, pool
from evaluation.memory.suites import DELAYED, NOW, SUITES
from evaluation.memory.tables import Line, Tables, compute, verdicts
from memory.presets import RECENT_4


def main(argv: Sequence[str]) -> int:
    """Print the tables; 0 when printed, 1 for unusable data, 2 for a wrong call."""
    parser = argparse.ArgumentParser("python -m evaluation.memory.report", description=__doc__)
    parser.add_argument("results", type=Path, nargs="+", help="of lookout eval memory --json")
    parser.add_argument("--plots", type=Path, help="existing folder for one picture of each suite")
    parser.add_argument("--markdown", type=Path, help="also write the tables to this file")
    options = parser.parse_args(argv)
    try:
        result = pool([load(path) for path in options.results])
        tables = compute(result)
        if options.plots:
            _draw(tables, options.plots)
        text = "\n".join(markdown(result, tables)) + "\n"
        if options.markdown:
            _write(text, options.markdown)
    except LookoutError as error:
        print(f"evaluation.memory.report: {error}", file=sys.stderr)
        return error.exit_status
    print(text, end="")
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
        f"Model {header['model']} (weights {digest}), {header['pruning']} {header['budget']} "
        f"visual tokens per temporal step, every memory in the bytes of {header['tokens']} tokens. "
        "Shares in percent with Wilson's 95% interval. MiB: the most that hot memory and archive "
        f"held when asked. p: exact McNemar test against {RECENT_4} on the same questions, not "
        "corrected for the number of comparisons, with an arrow for the direction. Questions of "
        "one stream are not independent: intervals are too narrow and p too small. reached: share "
        "of the questions at which the answer read any moment at which what is asked about was to "
        "be seen; memories that give up single tokens count as soon as any token they hold is that "
        f"old. `{DENSE}` gives up nothing, where the stream is short enough; `{BLACK}` saw as much "
        "black video."
    )
    for suite, lines in tables.items():
        whole = next(line for line in lines if line.memory == RECENT_4).whole
        yield ""
        yield (
            f"**{suite}**, {result.streams[suite]} streams, {whole['n']} questions; most frequent "
            f"answer {100 * whole['most_frequent']:.1f}, from the words alone "
            f"{100 * whole['words']:.1f}"
        )
        yield ""
        yield from _table(suite, lines)
        if suite == DELAYED:
            yield ""
            yield from _entered(result)
    yield ""
    for verdict in verdicts(tables):
        yield f"- {verdict}"


def _table(suite: str, lines: Sequence[Line]) -> Iterator[str]:
    known = {name for line in lines for name in line.groups}
    groups = [name for name in SUITES[suite].groups if name in known]
    tasks = [] if suite == NOW else list(lines[0].tasks)
    columns = ["memory", "MiB", "right", "interval", f"p {RECENT_4}", "reached", *groups, *tasks]
    yield f"| {' | '.join(columns)} |"
    yield "|" + "---|" * len(columns)
    for line in lines:
        cells = [
            line.memory,
            f"{line.held / 2**20:.2f}",
            f"{100 * line.whole['accuracy']:.1f}",
            f"{100 * line.whole['low']:.1f} to {100 * line.whole['high']:.1f}",
            "-" if line.against is None else line.against.marked,
            "-" if suite == NOW or line.memory == BLACK else f"{100 * line.whole['covered']:.0f}",
            *(_share(line.groups.get(name)) for name in groups),
            *(_share(line.tasks.get(name)) for name in tasks),
        ]
        yield f"| {' | '.join(cells)} |"


def _entered(result: Result) -> Iterator[str]:
    """How many steps really entered memory before each gap's questions."""
    yield "| gap | temporal steps that had entered memory | oldest to youngest evidence, seconds |"
    yield "|---|---|---|"
    for name in SUITES[DELAYED].groups:
        rows = [
            row
            for row in result.rows
            if row.suite == DELAYED and SUITES[DELAYED].group(row) == name
        ]
        ages = [row.age for row in rows if row.age is not None]
        steps = sorted({row.steps for row in rows})
        if ages:
            said = ", ".join(map(str, steps))
            yield f"| {name} | {said} | {max(ages):.0f} to {min(ages):.0f} |"


def _share(found: Mapping[str, Any] | None) -> str:
    return "-" if found is None else f"{100 * found['accuracy']:.1f} ({found['n']})"


def _write(text: str, path: Path) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--markdown {path}: {error.strerror}") from None


def _draw(tables: Tables, folder: Path) -> None:
    try:
        from evaluation.memory.plots import draw
    except ImportError:
        raise ConfigError("--plots needs matplotlib: pip install lookout-live[eval]") from None
    for suite in tables:
        draw(tables, suite, folder / f"memory-{suite}.png")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
