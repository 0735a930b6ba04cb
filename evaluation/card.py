"""`python -m evaluation.card RESULT.json...`: results into the model card, so that it cannot drift.

Results of different seeds are pooled question by question. The tables of the card's README stand
between two markers; `evaluation.json` beside it holds the same numbers.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from core.errors import ConfigError, DataError, LookoutError
from evaluation.gates import BLANK
from evaluation.report import share, summary
from evaluation.rows import Rows, rows
from models.loading import embedded_folder

BEGIN: Final = "<!-- scores: written by python -m evaluation.card -->"
END: Final = "<!-- end of scores -->"
_SAME: Final = ("model", "weights", "trained_below")


def main(argv: Sequence[str]) -> int:
    """Write the card as the command line says; 0 when written, 1 for unusable data, 2 else."""
    parser = argparse.ArgumentParser("python -m evaluation.card", description="scores to the card")
    parser.add_argument("results", type=Path, nargs="+", help="of lookout eval embedded --json")
    parser.add_argument("--folder", type=Path, default=embedded_folder(), help="of the card")
    options = parser.parse_args(argv)
    try:
        pooled = pool([_read(path) for path in options.results])
        write(options.folder, pooled)
    except LookoutError as error:
        print(f"evaluation.card: {error}", file=sys.stderr)
        return error.exit_status
    return 0


def pool(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Several results as one, without the rows.

    Args:
        results: of one model, as `lookout eval embedded --json` writes them; each with other seeds,
            or with other suites.

    Raises:
        DataError: if they are not of one model and one way of watching, or one scene counts twice.
    """
    first, suites, settings = results[0], dict[str, Rows](), dict[str, Any]()
    asked: set[tuple[str, int]] = set()
    for result in results:
        if any(result[key] != first[key] for key in _SAME):
            raise DataError("the results are of different models")
        for name, values in result["rows"].items():
            if settings.setdefault(name, result["settings"][name]) != result["settings"][name]:
                raise DataError(f"{name}: the results were measured with different settings")
            places = {(name, seed) for seed in result["seeds"]}
            if asked & places:
                raise DataError(f"{name}: two results have one seed, {result['seeds']}")
            asked |= places
            suites.setdefault(name, Rows()).add(rows(values))
    paired = {result["paired"] for result in results} - {None}
    if len(paired) > 1:
        raise DataError("the results name different paired accuracies")
    return {
        **summary(suites, paired.pop() if paired else None),
        **{key: first[key] for key in _SAME},
        "seeds": sorted({seed for _, seed in asked}),
        "settings": settings,
    }


def write(folder: Path, pooled: Mapping[str, Any]) -> None:
    """Put the tables into the README of `folder`, and everything into `evaluation.json` there.

    Raises:
        ConfigError: if the README has no markers.
    """
    readme = folder / "README.md"
    try:
        text = readme.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{readme}: cannot be read: {error.strerror}") from None
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ConfigError(f"{readme}: has no lines {BEGIN} and {END}")
    tables = "\n".join(lines(pooled))
    readme.write_text(f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}", encoding="utf-8")
    (folder / "evaluation.json").write_text(json.dumps(pooled, indent=1) + "\n", encoding="utf-8")


def lines(pooled: Mapping[str, Any]) -> Iterator[str]:
    """The tables as Markdown."""
    seeds = ", ".join(map(str, pooled["seeds"]))
    yield f"Seeds {seeds}; shares in percent, with Wilson's 95% interval."
    yield ""
    yield from _gates(pooled["gates"])
    for name, suite in pooled["suites"].items():
        yield ""
        yield f"**{name}**, {suite['scenes']} scenes"
        yield ""
        yield from (_spoken if name == "standing" else _answered)(suite["tasks"])
        for age, tasks in suite["ages"].items():
            yield ""
            yield f"{name}, evidence {age} old"
            yield ""
            yield from _answered(tasks)


def _gates(verdicts: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield "| gate | reached | goal | |"
    yield "|---|---|---|---|"
    for name, verdict in verdicts.items():
        goal = f"{100 * verdict['goal']:.0f}"
        if verdict["met"] is None:
            yield f"| {name} | - | {goal} | not measured |"
            continue
        word = "met" if verdict["met"] else "**missed**"
        if name == BLANK:
            where = f": {', '.join(verdict['above'])}" if verdict["above"] else ""
            value = f"{100 * verdict['value']:+.1f}"
            yield f"| {name}, over chance | {value} | at most {goal} | {word}{where} |"
        else:
            yield f"| {name} | {100 * verdict['value']:.1f} | {goal} | {word} |"


def _answered(tasks: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield "| task | right | interval | black video | most frequent | from the words | questions |"
    yield "|---|---|---|---|---|---|---|"
    for task, row in tasks.items():
        exact = f" ({100 * row['exact']:.1f} to the tenth)" if task == "when" else ""
        blank = "-" if row["blank"] is None else f"{100 * row['blank']:.1f}"
        yield (
            f"| {task} | {100 * row['accuracy']:.1f}{exact} "
            f"| {100 * row['low']:.1f} to {100 * row['high']:.1f} | {blank} "
            f"| {100 * row['most_frequent']:.1f} | {100 * row['words']:.1f} | {row['n']} |"
        )


def _spoken(tasks: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield (
        "| task | F1 | repeats as false alarms | precision | recall | right words | median delay "
        "| false alarms a minute | F1 of black video | always speaking | events |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for task, row in tasks.items():
        delay, false = row["median_delay_s"], row["false_alarms_per_minute"]
        cells = (
            task,
            f"{row['f1']:.3f}",
            f"{row['f1_strict']:.3f}",
            share(row["precision"]),
            share(row["recall"]),
            share(row["right_words"]),
            "-" if delay is None else f"{delay:.2f} s",
            "-" if false is None else f"{false:.2f}",
            "-" if row["blank"] is None else f"{row['blank']['f1']:.3f}",
            f"{row['always']['f1']:.3f}",
            str(row["events"]),
        )
        yield f"| {' | '.join(cells)} |"


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
    if missing := {*_SAME, "rows", "settings", "seeds", "paired"} - found.keys():
        raise DataError(f"{path}: no result of lookout eval embedded: lacks {sorted(missing)}")
    return found


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
