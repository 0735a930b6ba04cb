"""`lookout bench live`: does watching go on while answers are spoken, and how soon do they come?

Alone, the product watches one camera or several in real time: first nobody asks, then answers are
given without a pause. With --contenders it stands beside other ways to drive the same model behind
the same ingest, at several lengths of a stream that is accelerated between them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Final

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: others share the cores

import torch

from benchmarks.live.comparison import compare
from benchmarks.live.contenders import LOOKOUT, Parts
from benchmarks.live.figures import Found, compared, row, total
from benchmarks.live.filling import Plan
from benchmarks.live.film import take
from benchmarks.live.house import PATIENCE, Asking, measure
from benchmarks.live.shown import explained, page, summary
from benchmarks.live.stock import Stock
from benchmarks.report import Row, markdown, publish, stamp
from core.errors import ConfigError, LookoutError
from models.loading import load_model
from stream.configuration import load_settings

LENGTHS: Final = (1.0, 10.0, 60.0, 1440.0)
_ALONE_S: Final = 20.0
_BESIDE_S: Final = 3.0
_PICTURES: Final = 128  # of the film; then they repeat


def main(argv: Sequence[str]) -> int:
    """Measure and publish; 0 when measured, 1 on a failure, 2 for a wrong call."""
    options = _parser().parse_args(argv)
    try:
        _check(options)
        if options.threads is not None:
            torch.set_num_threads(options.threads)
        asyncio.run(_beside(options) if options.contenders else _alone(options))
    except LookoutError as error:
        print(f"lookout bench live: {error}", file=sys.stderr)
        return error.exit_status
    return 0


def _check(options: argparse.Namespace) -> None:
    """Refuse what could not be measured.

    Raises:
        ConfigError: saying what is allowed.
    """
    counts = ("askers", "cameras", "questions", "rounds", "pairs")
    if min(getattr(options, name) for name in counts) < 1 or options.tokens < 2:
        listed = ", ".join(f"--{name}" for name in counts)
        raise ConfigError(f"{listed}: at least 1; --tokens: at least 2")
    sizes = [*options.lengths, options.watched, options.patience, options.pairing]
    if min(sizes) <= 0 or (options.seconds or 1) <= 0 or (options.fps or 1) <= 0:
        raise ConfigError("--lengths, --watched, --patience, --pairing, --seconds, --fps: above 0")
    if options.plot and not options.contenders:
        raise ConfigError("--plot shows figures against the length of a stream: add --contenders")


async def _alone(options: argparse.Namespace) -> None:
    settings = load_settings(options.config)
    if options.cameras > settings.engine.max_cameras:
        settings = load_settings([*options.config, f"engine.max_cameras={options.cameras}"])
    settings = settings.model_copy(update={"cameras": {}})  # those that are asked about, no others
    seconds = options.seconds or _ALONE_S
    print(
        f"expected: {2 * seconds:g} s, and until there are {options.questions} answers, at most "
        f"{PATIENCE * seconds:g} s more",
        file=sys.stderr,
        flush=True,
    )
    measured = await measure(
        settings,
        url=options.source,
        cameras=options.cameras,
        fps=options.fps,
        asking=Asking(options.askers, options.questions, seconds),
        slack_s=options.slack / 1000,
    )
    publish([{"figure": key, "value": value} for key, value in measured.items()], None)
    if options.markdown:
        options.markdown.write_text(f"{stamp()}\n\n{markdown([measured])}\n", encoding="utf-8")
    if options.json:
        _write(options.json, [measured])


async def _beside(options: argparse.Namespace) -> None:
    """Files are written anew after each length: what follows takes minutes and may fail."""
    draw = _drawer() if options.plot else None
    plan, parts = _plan(options), await _parts(options)
    founds: list[Found] = []
    how = (
        f"{parts.model.info.name}, {parts.film.fps:g} frames/s, {plan.rounds} rounds of "
        f"{plan.seconds:g} s and {plan.pairs} pairs at each length, {plan.tokens} tokens, "
        f"{torch.get_num_threads()} torch threads"
    )
    async with aclosing(compare(plan, parts)) as lengths:
        async for found in lengths:
            founds += found
            rows, totals = compared([row(one) for one in founds], LOOKOUT), _totals(founds)
            print(page([one for one in rows if one["minutes"] == found[0].minutes]), flush=True)
            if options.json:
                _write(options.json, rows + totals)
            if options.markdown:
                options.markdown.write_text(explained(rows, totals, how), encoding="utf-8")
            if draw is not None:
                draw(rows, options.plot)
    print(summary(_totals(founds)), flush=True)


def _totals(founds: Sequence[Found]) -> list[Row]:
    """A row of all lengths together for each contender."""
    names = dict.fromkeys(one.contender for one in founds)
    return [total([one for one in founds if one.contender == name]) for name in names]


def _write(path: Path, rows: Sequence[Row]) -> None:
    path.write_text(json.dumps(list(rows), indent=1) + "\n", encoding="utf-8")


def _plan(options: argparse.Namespace) -> Plan:
    return Plan(
        contenders=options.contenders,
        minutes=options.lengths,
        seconds=options.seconds or _BESIDE_S,
        rounds=options.rounds,
        pairs=options.pairs,
        pairing_s=60 * options.pairing,
        tokens=options.tokens,
        slack_s=options.slack / 1000,
        patience_s=options.patience,
        watched_minutes=options.watched,
    )


async def _parts(options: argparse.Namespace) -> Parts:
    settings = load_settings(options.config)
    if options.tokens > settings.answer.max_tokens:
        settings = load_settings([*options.config, f"answer.max_tokens={options.tokens}"])
    film = await take(options.source, options.fps or settings.sampling.fps, _PICTURES)
    model = load_model(
        settings.model.name,
        device=settings.model.device,
        dtype=settings.model.dtype,
        max_pixels=settings.image.max_pixels,
    )
    return Parts(settings, model, Stock.load(settings.model.name, model), film)


def _drawer() -> Callable[[Sequence[Row], Path], None]:
    """What draws, found before anything is measured.

    Raises:
        ConfigError: if matplotlib is not there.
    """
    try:
        from benchmarks.live.plot import draw
    except ImportError:
        raise ConfigError("--plot needs matplotlib: pip install lookout-live[eval]") from None
    return draw


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lookout bench live", description=__doc__)
    add = parser.add_argument
    add("--source", default="demo:busy", help="URL of what is watched")
    add("--seconds", type=float, help="of a real-time phase (alone 20, beside others 3)")
    add("--fps", type=float, help="frames per second; as configured unless given")
    add("--slack", type=float, default=50.0, help="ms that a frame may be late beyond an interval")
    add("--threads", type=int, help="of torch; as it chooses unless given")
    add("--json", type=Path, help="also write the rows to this file")
    add("--markdown", type=Path, help="also write them as a table to this file")
    add("-c", "--config", action="append", default=[], help="as for serve")
    alone = parser.add_argument_group("alone")
    alone.add_argument("--cameras", type=int, default=1, help="watched at once")
    alone.add_argument("--askers", type=int, default=1, help="conversations that ask at once")
    alone.add_argument("--questions", type=int, default=100, help="answered at least, if in time")
    beside = parser.add_argument_group("beside others").add_argument
    beside("--contenders", nargs="+", default=[], help="names, or all")
    beside("--lengths", nargs="+", type=float, default=LENGTHS, help="of the stream, in minutes")
    beside("--rounds", type=int, default=3, help="turns of each contender at each length")
    beside("--pairs", type=int, default=12, help="watched answers between paused ones, likewise")
    beside("--pairing", type=float, default=10.0, help="minutes for all pairs, at most")
    beside("--tokens", type=int, default=200, help="of a long answer")
    beside("--patience", type=float, default=15.0, help="s to the first token that are waited for")
    beside(
        "--watched", type=float, default=10.0,
        help="minutes watched at full speed, at most, on the way to the next length; what comes "
        "before them is skipped",
    )  # fmt: skip
    beside("--plot", type=Path, help="also draw the figures into this PNG file")
    return parser
