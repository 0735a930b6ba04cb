"""`lookout eval pruning`: right answers against visual tokens, for every method on equal questions.

Scenes are encoded once; then each method prunes, and the language model reads and answers as the
engine does. Tables come from `python -m evaluation.pruning.report RESULT.json...`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: others share the cores

import torch
from rich.console import Console
from rich.progress import track

from core.errors import ConfigError, LookoutError
from evaluation.embedded import digest
from evaluation.parts import part
from evaluation.pruning.desk import Desk
from evaluation.pruning.encoding import Encoded, encode
from evaluation.pruning.methods import Method, chosen, methods
from evaluation.pruning.results import Item, Result, resume, save
from evaluation.pruning.suites import CALM, SUITES, family
from evaluation.pruning.tables import compute, lacking
from models.loading import load_model
from models.vlm import VideoLanguageModel
from stream.settings import SegmentSettings

DESCRIPTION: Final = "right answers against visual tokens kept, for every pruning method"
SHARES: Final = (50.0, 25.0, 15.0, 10.0, 5.0)
_TOGETHER: Final = 20  # memories at once; selectors take one for each question and budget
_CONSOLE: Final = Console(stderr=True)


def main(argv: Sequence[str]) -> int:
    """Measure as the command line says; 0 when measured, 1 on a failure, 2 for a wrong call."""
    options = _parser().parse_args(argv)
    torch.set_num_threads(options.threads)
    try:
        result = _measure(options)
    except LookoutError as error:
        print(f"lookout eval pruning: {error}", file=sys.stderr)
        return error.exit_status
    if missing := lacking(result):
        print(f"measured; tables also need {', '.join(missing)}, from this file or another one")
        return 0
    for line in compute(result).overview():
        print(line)
    return 0


def _measure(options: argparse.Namespace) -> Result:
    shares, which = _shares(options.budgets), part(options.part)
    for name, value in (("--limit", options.limit), ("--segment", options.segment)):
        if value is not None and value < 1:
            raise ConfigError(f"{name} {value}: at least 1")
    model = load_model(options.model)
    width = model.lay_text(model.question_ids("", (), ""), 0).embeds.shape[1]
    wanted = chosen(methods(width), options.methods or [], which)
    names = list(dict.fromkeys(options.suite or ("short", CALM)))
    scenes = {name: _encoded(model, name, options) for name in names}
    result = resume(options.json, _fresh(options, shares, scenes))
    desk = _desk(model, scenes, len(shares))
    for method in wanted:
        if method.label not in result.runs:
            _run(desk, method, scenes, shares, result)
            if options.json:
                save(result, options.json)
    return result


def _run(
    desk: Desk,
    method: Method,
    scenes: dict[str, list[Encoded]],
    shares: Sequence[float],
    result: Result,
) -> None:
    """Measure one method on all suites; it enters the result as a whole."""
    began = time.monotonic()
    runs = {
        name: method.measure(desk, _progress(found, f"{method.label}, {name}"), shares)
        for name, found in scenes.items()
    }
    result.runs[method.label] = runs
    result.moments[method.label] = method.moment
    result.seconds[method.label] = round(time.monotonic() - began, 1)


def _encoded(model: VideoLanguageModel, name: str, options: argparse.Namespace) -> list[Encoded]:
    footage, tasks = SUITES[name]
    count = options.limit or footage.scenes
    drawn = islice(footage.draw(options.seed, tasks), count)
    threshold = SegmentSettings().cut_threshold
    return [
        encode(model, scene, posed, max_steps=options.segment, cut_threshold=threshold)
        for scene, posed in track(drawn, f"encoding {name}", count, console=_CONSOLE)
    ]


def _desk(model: VideoLanguageModel, scenes: dict[str, list[Encoded]], shares: int) -> Desk:
    every = [encoded for found in scenes.values() for encoded in found]
    steps = max(encoded.steps for encoded in every)
    asked = max(len(stretch.posed) for encoded in every for stretch in encoded.stretches)
    return Desk(model, steps, max(shares, _TOGETHER), max(shares * asked, _TOGETHER))


def _fresh(
    options: argparse.Namespace, shares: Sequence[float], scenes: dict[str, list[Encoded]]
) -> Result:
    header = {
        "model": options.model,
        "weights": digest(options.model),
        "seed": options.seed,
        "limit": options.limit,
        "segment": options.segment,
        "shares": list(shares),
    }
    # Through JSON once, so that it equals what a file gives back.
    return Result(
        json.loads(json.dumps(header)),
        {name: [item for one in found for item in _items(one)] for name, found in scenes.items()},
    )


def _items(encoded: Encoded) -> Iterator[Item]:
    scene = encoded.scene
    for one in encoded.posed:
        yield Item(
            task=one.task,
            family=family(scene, one),
            question=one.question.text,
            truth=one.question.answer,
            url=scene.url,
            start=scene.start,
            step=one.step,
        )


def _progress(scenes: Sequence[Encoded], title: str) -> Iterable[Encoded]:
    return track(scenes, title, console=_CONSOLE)


def _shares(percent: Sequence[float]) -> list[float]:
    if any(not 0 < value <= 100 for value in percent):
        raise ConfigError(f"--budgets: percent of the visual tokens, above 0 to 100: {percent}")
    return [value / 100 for value in sorted(set(percent), reverse=True)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("lookout eval pruning", description=DESCRIPTION)
    parser.add_argument(
        "--suite",
        action="append",
        choices=list(SUITES),
        help=f"repeatable; short and {CALM} unless named",
    )
    parser.add_argument("--methods", nargs="+", help="names, labels, ingest or question; else all")
    parser.add_argument(
        "--budgets", nargs="+", type=float, default=SHARES, help="percent of the visual tokens"
    )
    parser.add_argument("--limit", type=int, help="scenes of each suite")
    parser.add_argument("--seed", type=int, default=0, help="another set of scenes, 0 to 99")
    parser.add_argument(
        "--segment",
        type=int,
        default=SegmentSettings().max_steps,
        help="temporal steps of a segment at most",
    )
    parser.add_argument("--part", default="1/1", metavar="I/N", help="measure every N-th method")
    parser.add_argument("--json", type=Path, help="file for the result; goes on where it ended")
    parser.add_argument("--model", default="embedded", help="embedded, or a folder")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    return parser


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
