"""`lookout eval embedded`: right answers about unseen demo scenes, through the real pipeline."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: others share the cores

import torch
from rich.console import Console
from rich.progress import track

from core.errors import ConfigError, LookoutError
from evaluation.asking import ask, watch
from evaluation.report import lines, summary
from evaluation.responders import PipelineResponder, Responder
from evaluation.rows import Rows
from evaluation.suites import SUITES, Footage
from models.loading import EMBEDDED, embedded_folder
from stream.compose import open_house
from stream.configuration import load_settings, masked
from stream.settings import Settings
from stream.sources import MaxPace
from worlds.catalog import HELD_OUT
from worlds.wording import STANDING

DESCRIPTION: Final = "answers about unseen demo scenes, each question put alone"


def main(argv: Sequence[str]) -> int:
    """Measure as the command line says; 0 when measured, 1 on a failure, 2 for a wrong call."""
    options = _parser().parse_args(argv)
    torch.set_num_threads(options.threads)
    try:
        paired = paired_accuracy(options.paired) if options.paired else None
        result = asyncio.run(_measure(options, paired))
    except LookoutError as error:
        print(f"lookout eval embedded: {error}", file=sys.stderr)
        return error.exit_status
    for line in lines(result):
        print(line)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


async def _measure(options: argparse.Namespace, paired: float | None) -> dict[str, Any]:
    chosen = list(dict.fromkeys(options.suite or SUITES))
    rows: dict[str, Rows] = {}
    used: dict[str, Any] = {}
    for footage in dict.fromkeys(SUITES[name].footage for name in chosen):
        names = [name for name in chosen if SUITES[name].footage is footage]
        settings = settings_for(footage, options.config, options.model)
        async with open_house(settings, pace=MaxPace()) as house:
            responder = PipelineResponder(house)
            rows.update(await measure(responder, names, options.seed, options.limit))
        used.update(dict.fromkeys(names, _shown(settings)))
    return {
        **summary(rows, paired),
        "model": options.model,
        "weights": digest(options.model),
        "seeds": [options.seed],
        "trained_below": HELD_OUT,
        "settings": used,
        "paired": paired,
        "rows": {name: asdict(found) for name, found in rows.items()},
    }


async def measure(
    responder: Responder, names: Sequence[str], seed: int, limit: int | None = None
) -> dict[str, Rows]:
    """Put the questions of suites that share their footage.

    Args:
        responder: watches and answers.
        names: of the suites.
        seed: which set of scenes.
        limit: scenes; None for as many as the footage says.

    Returns:
        rows by suite.
    """
    footage = SUITES[names[0]].footage
    tasks = [task for name in names for task in SUITES[name].tasks]
    count, began = limit or footage.scenes, time.monotonic()
    scenes = _shown_progress(islice(footage.draw(seed, tasks), count), names, count)
    if set(tasks) <= set(STANDING):
        made = Rows(vigils=await watch(responder, scenes, footage.dark))
    else:
        made = Rows(asked=await ask(responder, scenes, footage.dark))
    took = (time.monotonic() - began) / len(names)
    return {
        name: Rows(
            [row for row in made.asked if row.task in SUITES[name].tasks],
            [vigil for vigil in made.vigils if vigil.task in SUITES[name].tasks],
            count,
            took,
        )
        for name in names
    }


def settings_for(footage: Footage, config: Sequence[str], model: str) -> Settings:
    """What the footage needs, then what the command line says.

    Questions are put as fast as they are answered, so no picture counts as stale.
    """
    fixed = {
        "model": {"name": model},
        "sampling": {"fps": footage.fps},
        "answer": {"stale_after_s": 1e9},
        "engine": {"max_cameras": 1},
    }
    return load_settings([*footage.settings, *config], fixed)


def digest(model: str) -> str | None:
    """The SHA-256 of the weights, None where they are not one file of a local folder."""
    folder = embedded_folder(model) if model in EMBEDDED else Path(model)
    weights = folder / "model.safetensors"
    return hashlib.sha256(weights.read_bytes()).hexdigest() if weights.is_file() else None


def _shown(settings: Settings) -> dict[str, Any]:
    values = masked(settings)
    return {key: values[key] for key in ("pruning", "memory", "sampling", "segment", "image")}


def _shown_progress(scenes: Iterator[Any], names: Sequence[str], count: int) -> Iterator[Any]:
    console = Console(stderr=True)
    yield from track(scenes, ", ".join(names), count, console=console)


def paired_accuracy(path: Path) -> float:
    """Strict accuracy of all dynamic pairs, from what `lookout eval twins --json` wrote.

    Raises:
        ConfigError: if the file is no such result.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))["tasks"]["all"]["measures"]["p_acc"]
        return float(value["value"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"--paired {path}: no result of the paired run: {error!r}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("lookout eval embedded", description=DESCRIPTION)
    parser.add_argument(
        "--suite", action="append", choices=list(SUITES), help="repeatable; all unless named"
    )
    parser.add_argument("--seed", type=int, default=0, help="another set of scenes, 0 to 99")
    parser.add_argument("--limit", type=_count, help="scenes of each suite")
    parser.add_argument("--json", type=Path, help="file for the result")
    parser.add_argument("--paired", type=Path, help="result of lookout eval twins, for its gate")
    parser.add_argument("--model", default="embedded", help="embedded, a folder, or an id")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument(
        "-c", "--config", action="append", default=[], help="YAML file or KEY=VALUE; repeatable"
    )
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
