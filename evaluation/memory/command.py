"""`lookout eval memory`: every memory preset at equal bytes, about now, the past, and hours ago.

A stream is encoded once; all memories watch it side by side and are asked the same questions.
Tables come from `python -m evaluation.memory.report RESULT.json...`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: others share the cores

import torch
from rich.console import Console
from rich.progress import track

from core.errors import ConfigError, LookoutError
from engine.side_by_side import SideBySide
from evaluation.embedded import digest
from evaluation.memory.results import BLACK, DENSE, Header, Result, Row, save
from evaluation.memory.streams import Stream
from evaluation.memory.suites import DENSE_STEPS, SUITES
from evaluation.memory.tables import compute, verdicts
from evaluation.memory.watching import PAGE, TOGETHER, Watcher, places
from evaluation.parts import part
from memory.presets import PRESETS, RECENT_4, Preset, room
from models.loading import load_model
from models.vlm import VideoLanguageModel
from stream.settings import MemorySettings, PruningSettings, SegmentSettings

DESCRIPTION: Final = "right answers about now, the past and hours ago, for every memory preset"
_CONSOLE: Final = Console(stderr=True)


def main(argv: Sequence[str]) -> int:
    """Measure as the command line says; 0 when measured, 1 on a failure, 2 for a wrong call."""
    options = _parser().parse_args(argv)
    torch.set_num_threads(options.threads)
    try:
        result = _measure(options)
    except LookoutError as error:
        print(f"lookout eval memory: {error}", file=sys.stderr)
        return error.exit_status
    for line in _overview(result):
        print(line)
    return 0


def _measure(options: argparse.Namespace) -> Result:
    which = part(options.part)
    if options.limit is not None and options.limit < 1:
        raise ConfigError(f"--limit {options.limit}: at least 1")
    presets = _chosen(options.preset or [])
    model = load_model(options.model)
    result = Result(_header(options), _rooms(model, presets, options.tokens))
    pruning = PruningSettings()
    with SideBySide(
        model,
        places(model, presets, options.tokens, DENSE_STEPS),
        pruning.policy,
        pruning.budget,
        segment_steps=SegmentSettings().max_steps,
        answers=TOGETHER,
        page_size=PAGE,
    ) as memories:
        watcher = Watcher(memories, pruning.policy, DENSE_STEPS)
        for name in dict.fromkeys(options.suite or SUITES):
            for stream in _streams(name, options, which):
                began = time.monotonic()
                result.rows += watcher.rows(name, stream)
                took = time.monotonic() - began
                result.streams[name] = result.streams.get(name, 0) + 1
                result.seconds[name] = result.seconds.get(name, 0.0) + took
                if options.json:
                    save(result, options.json, _group)
    return result


def _streams(name: str, options: argparse.Namespace, which: tuple[int, int]) -> Iterator[Stream]:
    suite = SUITES[name]
    count = options.limit or suite.streams
    wanted = range(which[0] - 1, count, which[1])
    drawn = islice(suite.draw(options.seed), which[0] - 1, count, which[1])
    yield from track(drawn, name, len(wanted), console=_CONSOLE)


def _overview(result: Result) -> Iterator[str]:
    for suite, lines in compute(result).items():
        count, took = result.streams[suite], result.seconds[suite]
        yield f"{suite}: {count} streams in {took:.0f} s, {took / count:.1f} s each"
        for one in lines:
            groups = ", ".join(f"{n} {100 * g['accuracy']:.0f}" for n, g in one.groups.items())
            p = "" if one.against is None else f"  p {one.against.p:.3f}"
            yield (
                f"  {one.memory:<14}{one.held / 2**20:6.2f} MiB  right "
                f"{100 * one.whole['accuracy']:5.1f} of {one.whole['n']}{p}  {groups}"
            )
    yield from verdicts(compute(result))


def _group(row: Row) -> str:
    return SUITES[row.suite].group(row)


def _header(options: argparse.Namespace) -> Header:
    """Without the seed, so that several can be pooled: a row's stream says which one it is of."""
    return {
        "model": options.model,
        "weights": digest(options.model),
        "tokens": options.tokens,
        "pruning": PruningSettings().policy.label,
        "budget": PruningSettings().budget,
    }


def _rooms(
    model: VideoLanguageModel, presets: Sequence[Preset], tokens: int
) -> dict[str, int | None]:
    """The bytes that each memory may take.

    Raises:
        ConfigError: if they are too few.
    """
    try:
        found: dict[str, int | None] = {
            preset.name: room(preset, model.shape, tokens, PAGE).bytes(model.shape)
            for preset in presets
        }
    except ValueError as error:
        raise ConfigError(f"--tokens {tokens}: {error}") from None
    return found | {DENSE: None, BLACK: tokens // PAGE * PAGE * model.shape.bytes_per_token}


def _chosen(names: Sequence[str]) -> list[Preset]:
    """Those named, or all; the baseline is always among them.

    Raises:
        ConfigError: naming what there is.
    """
    known = [preset.name for preset in PRESETS]
    if unknown := set(names) - set(known):
        listed = ", ".join(known)
        raise ConfigError(f"--preset {', '.join(sorted(unknown))}: unknown; there are: {listed}")
    wanted = {*(names or known), RECENT_4}
    return [preset for preset in PRESETS if preset.name in wanted]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("lookout eval memory", description=DESCRIPTION)
    parser.add_argument(
        "--suite", action="append", choices=list(SUITES), help="repeatable; all unless named"
    )
    parser.add_argument("--preset", action="append", help="repeatable; all unless named")
    parser.add_argument("--limit", type=int, help="streams of each suite")
    parser.add_argument("--seed", type=int, default=0, help="another set of streams, 0 to 99")
    parser.add_argument("--part", default="1/1", metavar="I/N", help="watch every N-th stream")
    parser.add_argument(
        "--tokens",
        type=int,
        default=MemorySettings().capacity,
        help="every preset takes the bytes of so many",
    )
    parser.add_argument("--json", type=Path, help="file for the result, written as it grows")
    parser.add_argument("--model", default="embedded", help="embedded, or a folder")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    return parser


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
