"""`lookout bench pruning`: what each pruning method costs, beside `uniform`, in one run.

Methods take turns on every segment, so that whatever else the machine does hits all alike; on a CPU
times are of the measuring thread alone. A method that needs the attention of the last vision block
also pays for it where there is an eye to compute it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: others share the cores

import torch

from benchmarks.footage import Footage, clips, seen, shaped
from benchmarks.meters import peak_bytes, seconds
from benchmarks.report import Row, markdown, publish, stamp
from core.errors import ConfigError, LookoutError
from core.tokens import VisualTokens
from engine.runner import Row as Packed
from engine.runner import Runner
from memory.memory import KVMemory
from memory.policies.sink_window import SinkWindow
from memory.pool import PagePool
from memory.readers.torch_reader import TorchReader
from memory.scratch import Scratch
from models.loading import load_model
from models.vlm import VideoLanguageModel
from pruning.online import OnlinePruner
from pruning.policy import PruningPolicy
from pruning.registry import policies
from pruning.uniform import Uniform

WARM_UP: Final = 2  # segments of a stream that are not counted
CAPACITY: Final = 512  # tokens of the memory that prefill reads


@dataclass(slots=True)
class Measured:
    """A method on one stream."""

    policy: PruningPolicy
    seconds: list[float] = field(default_factory=list)  # per segment
    encoded: int = 0
    kept: int = 0
    peak: int = 0  # bytes, beyond what was there before a segment


@dataclass(frozen=True, slots=True)
class Model:
    """What else a segment costs: seconds of the eye, of its attention, and of prefill."""

    encode: float
    attention: float
    prefill: float


def main(argv: Sequence[str]) -> int:
    """Measure and publish; 0 when measured, 1 on a failure, 2 for a wrong call."""
    options = _parser().parse_args(argv)
    torch.set_num_threads(1)
    try:
        rows = _measure(options)
    except LookoutError as error:
        print(f"lookout bench pruning: {error}", file=sys.stderr)
        return error.exit_status
    if options.markdown:
        options.markdown.write_text(f"{stamp()}\n\n{markdown(rows)}\n", encoding="utf-8")
    publish(rows, options.json)
    return 0


@torch.inference_mode()
def _measure(options: argparse.Namespace) -> list[Row]:
    model = load_model(options.model)
    films = clips(options.clips) if options.clips else []
    count, steps = options.segments + WARM_UP, options.steps
    streams = [seen(model, f"clip {film.stem}", str(film), count, steps) for film in films]
    streams.append(seen(model, options.source, options.source, count, steps))
    # A picture of 512 x 512 through Qwen3-VL-2B: 16 x 16 tokens of width 2048, three levels.
    streams.append(shaped("shape of Qwen3-VL-2B", (16, 16), 2048, 3, count, steps, model.device))
    chosen = _chosen(options.methods or [])
    rows = []
    for stream in streams:
        budget = max(1, round(options.share / 100 * stream.tokens[0].grid.per_step))
        around = _around(model, stream, budget) if stream.segments else None
        measured = [Measured(policy) for policy in chosen]
        for _ in range(options.rounds):
            _take_turns(measured, stream, budget)
        for one in measured:
            one.peak = _peak(one.policy, stream, budget)
        rows += _rows(stream, budget, measured, around)
    return rows


def _take_turns(measured: Sequence[Measured], stream: Footage, budget: int) -> None:
    """One pass over the stream; on each segment another method begins."""
    pruners = [OnlinePruner(one.policy, budget) for one in measured]
    for number, tokens in enumerate(stream.tokens):
        for turn in range(len(measured)):
            place = (turn + number) % len(measured)
            took = seconds(tokens.features.device, partial(pruners[place].push, tokens))
            if number >= WARM_UP:
                measured[place].seconds.append(took)
    for one, pruner in zip(measured, pruners, strict=True):
        one.encoded, one.kept = pruner.encoded, pruner.kept


def _peak(policy: PruningPolicy, stream: Footage, budget: int) -> int:
    """Most bytes that the last segment had alive at once, with the state of a whole stream."""
    pruner = OnlinePruner(policy, budget)
    for tokens in stream.tokens[:-1]:
        pruner.push(tokens)
    device = stream.tokens[0].features.device
    return peak_bytes(device, partial(pruner.push, stream.tokens[-1]))


def _around(model: VideoLanguageModel, stream: Footage, budget: int) -> Model:
    """What the eye and prefill cost for the same segments, pruned by `uniform`."""
    pool = PagePool(model.shape, 4 * CAPACITY // 16, 16, model.device)
    runner = Runner(model, pool, TorchReader())
    memory = KVMemory(pool, CAPACITY, SinkWindow())
    pruner = OnlinePruner(Uniform(), budget)
    times: tuple[list[float], list[float], list[float]] = ([], [], [])
    for number, (segment, tokens) in enumerate(zip(stream.segments, stream.tokens, strict=True)):
        works: list[Callable[[], object]] = [
            partial(model.encode, [segment]),
            partial(model.encode, [segment], attention=True),
            partial(_remember, runner, memory, pruner, tokens),
        ]
        took = [seconds(model.device, work) for work in works]
        if number >= WARM_UP:
            for known, value in zip(times, took, strict=True):
                known.append(value)
    memory.release()
    plain, listening, prefill = (median(known) for known in times)
    return Model(plain, max(0.0, listening - plain), prefill)


def _remember(runner: Runner, memory: KVMemory, pruner: OnlinePruner, tokens: VisualTokens) -> None:
    for steps in pruner.push(tokens):
        chunk = runner.model.lay_steps(steps, memory.next_position)
        scratch = Scratch(runner.pool, len(chunk))
        runner.forward([Packed(chunk, memory.view(), scratch)])
        positions = chunk.positions.T.contiguous().numpy()
        memory.append(scratch.view().slots, positions, chunk.times.numpy())
        memory.next_position = chunk.next_position
        scratch.release()


def _rows(
    stream: Footage, budget: int, measured: Sequence[Measured], around: Model | None
) -> list[Row]:
    uniform = next(median(one.seconds) for one in measured if one.policy == Uniform())
    per_step = stream.tokens[0].grid.per_step
    rows: list[Row] = []
    for one in measured:
        own = median(one.seconds)
        extra = around.attention if around and one.policy.needs_attention else 0.0
        rows.append(
            {
                "stream": stream.name,
                "method": one.policy.label,
                "asked": f"{budget} of {per_step}",
                "kept_percent": 100 * one.kept / one.encoded,
                "ms_per_segment": 1000 * own,
                "times_uniform": own / uniform,
                "attention_ms": 1000 * extra if one.policy.needs_attention and around else None,
                "percent_of_encode_and_prefill": 100 * (own + extra) / _model(around)
                if around
                else None,
                "peak_extra_kib": one.peak / 1024,
            }
        )
    return rows


def _model(around: Model) -> float:
    return around.encode + around.prefill


def _chosen(names: Sequence[str]) -> list[PruningPolicy]:
    """The settings of the registry that are named, or all; `uniform` is always among them.

    Raises:
        ConfigError: naming those there are.
    """
    known = policies()
    allowed = {one.method for one in known} | {one.label for one in known}
    if unknown := set(names) - allowed:
        listed = ", ".join(dict.fromkeys(one.method for one in known))
        raise ConfigError(f"--methods {', '.join(sorted(unknown))}: unknown; there are: {listed}")
    wanted = {*names, Uniform().method}
    return [one for one in known if not names or {one.method, one.label} & wanted]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lookout bench pruning", description=__doc__)
    parser.add_argument("--clips", type=Path, help="folder of films to measure on as well")
    parser.add_argument("--source", default="demo:busy", help="the demo camera, or any URL")
    parser.add_argument("--methods", nargs="+", help="names or labels; else all of the registry")
    parser.add_argument("--share", type=float, default=25.0, help="percent of tokens asked for")
    parser.add_argument("--segments", type=int, default=16, help="of each stream")
    parser.add_argument("--steps", type=int, default=2, help="temporal steps of a segment")
    parser.add_argument("--rounds", type=int, default=3, help="passes over each stream")
    parser.add_argument("--model", default="embedded", help="whose eye sees clips and camera")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    parser.add_argument("--markdown", type=Path, help="also write them as a table to this file")
    return parser


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
