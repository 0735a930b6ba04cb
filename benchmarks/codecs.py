"""`lookout bench codecs`: what every codec of the archive costs and loses, in one run.

Freezing is from bare keys and values to bits; thawing is back into the pages of an answer, turned
to new positions; attention is one layer's over blocks that stay packed, where a codec makes such
blocks. Codecs take turns, so that whatever else the machine does hits all alike; on a CPU times are
of the measuring thread alone. On a GPU our kernels stand beside the reference.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: others share the cores

import torch
from torch import Tensor

from benchmarks.held import Held, drawn, watched
from benchmarks.meters import seconds
from benchmarks.report import Row, markdown, publish, stamp
from core.errors import ConfigError, LookoutError
from memory.codecs.block import Block
from memory.codecs.codec import Codec
from memory.codecs.frozen import Frozen, freeze
from memory.codecs.registry import codecs
from memory.packed.blocks import Blocks
from memory.packed.choice import UNPACKERS
from memory.packed.unpacker import Unpacker
from memory.pool import KVShape, PagePool
from memory.readers.reader import Demand
from memory.recall.step import Step
from models.loading import load_model

PAGE: Final = 16
SHIFT: Final = 1000  # positions: thawed tokens are read elsewhere than they were seen
GROUP: Final = 2  # heads of queries that share one of keys
REFERENCE: Final = "torch"


@dataclass(slots=True)
class Measured:
    """A codec on some keys and values: seconds of each kind of work."""

    codec: Codec
    frozen: Frozen
    works: dict[str, Callable[[], object]]
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


def main(argv: Sequence[str]) -> int:
    """Measure and publish; 0 when measured, 1 on a failure, 2 for a wrong call."""
    options = _parser().parse_args(argv)
    torch.set_num_threads(1)
    try:
        rows = _measure(options)
    except LookoutError as error:
        print(f"lookout bench codecs: {error}", file=sys.stderr)
        return error.exit_status
    if options.markdown:
        options.markdown.write_text(f"{stamp()}\n\n{markdown(rows)}\n", encoding="utf-8")
    publish(rows, options.json)
    return 0


@torch.inference_mode()
def _measure(options: argparse.Namespace) -> list[Row]:
    if min(options.tokens, options.rounds, options.layers) < 1:
        raise ConfigError("--tokens, --rounds and --layers: at least 1")
    chosen = _chosen(options.codecs or [])
    model = load_model(options.model)
    rows = []
    for held in (
        watched(model, options.source, options.tokens),
        drawn("shape of Qwen3-VL-2B", (options.layers, 8, 128), options.tokens, model.device),
    ):
        measured = [_prepared(codec, held) for codec in chosen]
        for number in range(options.rounds + 1):  # the first is not counted: kernels are compiled
            for turn in range(len(measured)):
                one = measured[(turn + number) % len(measured)]
                for name, work in one.works.items():
                    took = seconds(held.keys.device, work)
                    if number:
                        one.seconds[name].append(took)
        rows += _rows(held, measured)
    return rows


def _prepared(codec: Codec, held: Held) -> Measured:
    """Everything that is done with a codec, ready to be timed."""
    layers, heads, tokens, d = held.keys.shape
    frozen = freeze(codec, held.keys, held.values, held.positions)
    base = int(held.positions.min())
    step = Step(frozen, 0, tokens, 0.0, base, int(held.positions.max()) + 1 - base)
    pool = PagePool(
        KVShape(layers, heads, d, held.keys.dtype), -(-tokens // PAGE), PAGE, held.keys.device
    )
    slots = torch.arange(tokens, device=pool.device)
    draw = torch.Generator().manual_seed(0)
    query = torch.randn(1, heads * GROUP, d, generator=draw).to(pool.device, held.keys.dtype)
    works: dict[str, Callable[[], object]] = {
        "freeze": partial(freeze, codec, held.keys, held.values, held.positions)
    }
    blocks = None
    if isinstance(codec, Block):
        blocks = Blocks.of([step], [base + SHIFT], held.rotation, pool.device)
    for name, unpacker in _usable(pool).items():
        works[f"thaw_{name}"] = partial(
            unpacker.put, [step], [base + SHIFT], held.rotation, pool, slots
        )
        if blocks is not None:
            works[f"attend_{name}"] = partial(unpacker.attend, blocks, 0, query, d**-0.5)
    return Measured(codec, frozen, works)


def _usable(pool: PagePool) -> dict[str, Unpacker]:
    demand = Demand(pool.device, pool.shape, pool.page_size)
    return {name: kind() for name, kind in UNPACKERS.items() if kind.refuses(demand) is None}


def _rows(held: Held, measured: Sequence[Measured]) -> list[Row]:
    block = next(one for one in measured if one.codec == Block())
    rows: list[Row] = []
    for one in measured:
        times = {name: median(took) for name, took in one.seconds.items()}
        thawed = one.frozen.thaw()
        row: Row = {
            "keys and values": held.name,
            "codec": one.codec.label,
            "bits": one.frozen.bits_per_number,
            "keys_lost_percent": 100 * _lost(held.keys, thawed.keys),
            "values_lost_percent": 100 * _lost(held.values, thawed.values),
        }
        for name in ("freeze", f"thaw_{REFERENCE}"):
            row[f"{name}_ms"] = 1000 * times[name]
            row[f"{name}_times_block"] = times[name] / median(block.seconds[name])
        row[f"attend_{REFERENCE}_ms"] = _ms(times.get(f"attend_{REFERENCE}"))
        for name, took in times.items():
            work, _, unpacker = name.partition("_")
            if unpacker and unpacker != REFERENCE:
                row[f"{name}_ms"] = 1000 * took
                row[f"{name}_times_{REFERENCE}"] = took / times[f"{work}_{REFERENCE}"]
        rows.append(row)
    return rows


def _ms(took: float | None) -> float | None:
    return None if took is None else 1000 * took


def _lost(exact: Tensor, found: Tensor) -> float:
    """The norm of the error over the norm."""
    return float((found.float() - exact.float()).norm() / exact.float().norm())


def _chosen(names: Sequence[str]) -> list[Codec]:
    """The settings of the registry that are named, or all; `block` is always among them.

    Raises:
        ConfigError: naming those there are.
    """
    known = codecs()
    allowed = {one.method for one in known} | {one.label for one in known}
    if unknown := set(names) - allowed:
        listed = ", ".join(dict.fromkeys(one.method for one in known))
        raise ConfigError(f"--codecs {', '.join(sorted(unknown))}: unknown; there are: {listed}")
    return [
        one for one in known if not names or {one.method, one.label} & set(names) or one == Block()
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lookout bench codecs", description=__doc__)
    parser.add_argument("--source", default="demo:busy", help="the demo camera, or any URL")
    parser.add_argument("--codecs", nargs="+", help="names or labels; else all of the registry")
    parser.add_argument("--tokens", type=int, default=256, help="frozen together")
    parser.add_argument("--layers", type=int, default=4, help="of the drawn keys and values")
    parser.add_argument("--rounds", type=int, default=5, help="measured, beside one to warm up")
    parser.add_argument("--model", default="embedded", help="whose keys and values are measured")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    parser.add_argument("--markdown", type=Path, help="also write them as a table to this file")
    return parser


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
