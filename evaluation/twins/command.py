"""`lookout eval twins`: the committed counterfactual pairs, through the real pipeline."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: others share the cores

import torch
from rich.console import Console
from rich.progress import track

from core.errors import ConfigError, LookoutError
from evaluation.paired.groups import ALL
from evaluation.paired.judging import Judged, judge
from evaluation.paired.layouts import LAYOUTS
from evaluation.paired.reading import strict
from evaluation.paired.report import Answers, lines, report
from evaluation.paired.rows import Row
from evaluation.twins.collection import PAIRS, committed, pairs
from evaluation.twins.families import FAMILIES
from evaluation.twins.pairs import Pair
from evaluation.twins.playing import PipelinePlayer, play
from evaluation.twins.views import Blank, Middle, View, whole
from stream.compose import open_house
from stream.configuration import load_settings, masked
from stream.settings import Settings
from stream.sources import MaxPace

DESCRIPTION: Final = "counterfactual pairs of rendered videos, each question put alone"
_LAYOUT: Final = LAYOUTS["dybench"]
_VIEWS: Final[dict[str, View]] = {"blank": Blank, "middle": Middle}  # what sees no motion
_SAID: Final = {"blank": "blank video", "middle": "the middle picture all the time"}
_BREAKDOWNS: Final = ("change", "combination")

Lines = Sequence[Mapping[str, Any]]


def main(argv: Sequence[str]) -> int:
    """Measure as the command line says; 0 when measured, 1 on a failure, 2 for a wrong call."""
    options = _parser().parse_args(argv)
    torch.set_num_threads(options.threads)
    try:
        for path in (options.answers, options.json):
            _writable(path)  # known before half an hour has gone by
        said = asyncio.run(_played(options))
        for name, found in said.rows.items():
            _write(options.answers, name, found)
        result = {**scores(said.rows), "model": options.model, **said.facts}
        for line in shown(result):
            print(line)
        if options.json:
            _saved(options.json, json.dumps(result, indent=1) + "\n")
    except LookoutError as error:
        print(f"lookout eval twins: {error}", file=sys.stderr)
        return error.exit_status
    return 0


def scores(rows: Mapping[str, Lines]) -> dict[str, Any]:
    """What answers are worth.

    Args:
        rows: lines of answers by what was watched: "whole", and maybe "blank" and "middle".

    Returns:
        what `evaluation.paired.report.report` returns, by family; under `change` and
        `combination` the tasks split so; under `motionless` the tasks by what was watched instead.
    """
    judged = {name: _judged(found) for name, found in rows.items()}
    split = {by: _judged(rows["whole"], by) for by in _BREAKDOWNS}
    found = report(_LAYOUT, Answers(judged["whole"], judged.get("blank")))
    return {
        **found,
        **{by: report(_LAYOUT, Answers(ours))["tasks"] for by, ours in split.items()},
        "motionless": {
            name: report(_LAYOUT, Answers(judged[name]))["tasks"] for name in _VIEWS if name in rows
        },
    }


def shown(result: Mapping[str, Any]) -> Iterator[str]:
    """The result as text."""
    yield from lines(result)
    for by in _BREAKDOWNS:
        yield f"\nstrict accuracy of pairs by {by}"
        for name, task in result[by].items():
            if name != ALL:  # said above
                yield from _strict(name, task)
    for view, tasks in result["motionless"].items():
        yield f"\nwatching {_SAID[view]} instead"
        for name, task in tasks.items():
            yield from _strict(name, task)


def _strict(name: str, task: Mapping[str, Any]) -> Iterator[str]:
    """The strict accuracy of a task's pairs, a line each of dynamic and of static ones."""
    for measure in ("p_acc", "static_p_acc"):
        if row := task["measures"].get(measure):
            yield (
                f"  {name:<28}{measure:<14}{100 * row['value']:>6.1f}"
                f"{100 * row['low']:>8.1f} to {100 * row['high']:.1f}"
                f"   chance {100 * row['chance']:.1f}, n {row['n']}"
            )


@dataclass(frozen=True)
class _Said:
    rows: dict[str, list[dict[str, Any]]]  # by what was watched
    facts: dict[str, Any]


async def _played(options: argparse.Namespace) -> _Said:
    settings = _settings(options)
    families = list(dict.fromkeys(options.family or FAMILIES))
    views = {"whole": whole, **{name: _VIEWS[name] for name in _VIEWS if getattr(options, name)}}
    async with open_house(settings, pace=MaxPace()) as house:
        rows = {
            name: await play(PipelinePlayer(house, view), _tracked(name, families, options.limit))
            for name, view in views.items()
        }
    values = masked(settings)
    used = {key: values[key] for key in ("pruning", "memory", "sampling", "segment", "image")}
    return _Said(rows, {"set": committed(), "limit": options.limit, "settings": used})


def _settings(options: argparse.Namespace) -> Settings:
    """Questions are put as fast as they are answered, so no picture counts as stale."""
    fixed = {
        "model": {"name": options.model},
        "sampling": {"fps": 4.0},
        "answer": {"stale_after_s": 1e9},
        "engine": {"max_cameras": 1},
    }
    return load_settings(options.config, fixed)


def _tracked(name: str, families: Sequence[str], limit: int) -> Iterator[Pair]:
    total = len(families) * min(limit, PAIRS)
    drawn = pairs(families, limit)
    yield from track(drawn, f"pairs, {name}", total, console=Console(stderr=True))


def _judged(found: Lines, by: str = "kind") -> list[Judged]:
    rows = [Row(f"answer {n}", line, {"kind": by}) for n, line in enumerate(found, start=1)]
    return [judge(group, strict) for group in _LAYOUT.groups(rows)]


def _write(path: Path | None, name: str, found: Lines) -> None:
    if path is not None:
        target = path if name == "whole" else path.with_suffix(f".{name}{path.suffix}")
        _saved(target, "".join(json.dumps(line) + "\n" for line in found))


def _writable(path: Path | None) -> None:
    if path is not None and not path.parent.is_dir():
        raise ConfigError(f"{path}: cannot be written: there is no folder {path.parent}")


def _saved(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("lookout eval twins", description=DESCRIPTION)
    parser.add_argument(
        "--family", action="append", choices=list(FAMILIES), help="repeatable; all unless named"
    )
    parser.add_argument(
        "--limit", type=_count, default=PAIRS, help=f"pairs of each family, at most {PAIRS}"
    )
    parser.add_argument("--blank", action="store_true", help="also after blank video")
    parser.add_argument("--middle", action="store_true", help="also after one picture alone")
    parser.add_argument("--answers", type=Path, help="file for the answers, as JSON lines")
    parser.add_argument("--json", type=Path, help="file for the result")
    parser.add_argument("--model", default="embedded", help="embedded, a folder, or an id")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument(
        "-c", "--config", action="append", default=[], help="YAML file or KEY=VALUE; repeatable"
    )
    return parser


def _count(text: str) -> int:
    number = int(text)
    if not 0 < number <= PAIRS:
        raise ValueError(text)
    return number
