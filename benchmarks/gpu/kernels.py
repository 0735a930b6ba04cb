"""Rows about kernels: every reader against the reference, and packed blocks against theirs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.gpu.context import Context
from benchmarks.gpu.plans import Drawn
from benchmarks.meters import median_seconds
from benchmarks.report import Row
from memory.codecs.block import Block
from memory.codecs.frozen import freeze
from memory.packed.blocks import Blocks
from memory.packed.choice import UNPACKERS
from memory.packed.unpacker import Unpacker
from memory.pool import KVShape, PagePool
from memory.readers.choice import READERS
from memory.readers.reader import Demand, Reader
from memory.readers.torch_reader import TorchReader
from memory.readers.triton_reader import TritonReader
from memory.recall.step import Step
from memory.rotation import Rotation

HEADS, KV_HEADS, DIM = 32, 8, 128  # of a layer of the 8B
CHUNKS = (256, 512)  # other sizes of what a program of our kernel goes through
SHIFT = 1000  # positions: thawed tokens are read elsewhere than they were seen


@torch.inference_mode()
def readers(context: Context) -> list[Row]:
    """Each reader on decode rows and on segments: how far from the reference, and how fast."""
    rows = []
    for name, sequences, fresh in (
        ("decode", 1, 1),
        ("decode", 8, 1),
        ("segments", 8, 8 if context.dry else 116),
    ):
        drawn = _drawn(context, sequences, fresh)
        wanted = drawn.read(drawn.plan(TorchReader())).float()
        for label, make in _candidates(context).items():
            row: Row = {"work": name, "sequences": sequences, "fresh": fresh, "reader": label}
            rows.append(row | _tried(context, drawn, make, wanted))
    return rows


@torch.inference_mode()
def packed(context: Context) -> list[Row]:
    """Thawing blocks into pages, and attention over blocks that stay packed."""
    tokens = 4096 if not context.dry else 128
    draw = torch.Generator().manual_seed(0)
    shape = KVShape(1, KV_HEADS, DIM, context.dtype)
    keys, values = (
        torch.randn(1, KV_HEADS, tokens, DIM, generator=draw).to(context.device, context.dtype)
        for _ in range(2)
    )
    at = torch.arange(tokens)
    positions = torch.stack([at // 64, at // 8 % 8, at % 8], 1)
    rotation = Rotation.plain(DIM, 5_000_000.0)
    frozen = freeze(Block(), keys, values, positions)
    step = Step(frozen, 0, tokens, 0.0, 0, int(positions.max()) + 1)
    page = context.scale.page
    pool = PagePool(shape, -(-tokens // page), page, context.device)
    slots = torch.arange(tokens, device=pool.device)
    blocks = Blocks.of([step], [SHIFT], rotation, pool.device)
    query = torch.randn(1, HEADS, DIM, generator=draw).to(pool.device, context.dtype)
    rows: list[Row] = []
    for name, kind in UNPACKERS.items():
        row: Row = {"unpacker": name, "tokens": tokens, "bits": frozen.bits_per_number}
        refusal = kind.refuses(Demand(pool.device, shape, page))
        if refusal is not None:
            rows.append(row | {"refused": refusal})
            continue
        unpacker: Unpacker = kind()
        put = partial(unpacker.put, [step], [SHIFT], rotation, pool, slots)
        attend = partial(unpacker.attend, blocks, 0, query, DIM**-0.5)
        row["thaw_ms"] = 1000 * _seconds(context, put)
        row["attend_ms"] = 1000 * _seconds(context, attend)
        row["attended"] = attend()[0].float()
        rows.append(row)
    wanted = next(row["attended"] for row in rows if row["unpacker"] == "torch")
    for row in rows:
        if (got := row.pop("attended", None)) is not None:
            row["attend_off_by"] = float((got - wanted).abs().max())
    return rows


def _drawn(context: Context, sequences: int, fresh: int) -> Drawn:
    shape = KVShape(1, KV_HEADS, DIM, context.dtype)
    scale = context.scale
    return Drawn(sequences, scale.capacity, fresh, HEADS, shape, scale.page, context.device)


def _candidates(context: Context) -> dict[str, Callable[[], Reader]]:
    """By label: what makes the reader; it raises with the reason where it cannot be used."""
    found: dict[str, Callable[[], Reader]] = {
        name: partial(_made, kind, context, kind) for name, kind in READERS.items()
    }
    for chunk in CHUNKS:
        found[f"triton, chunks of {chunk}"] = partial(
            _made, TritonReader, context, partial(TritonReader, chunk)
        )
    return found


def _made(kind: type[Reader], context: Context, make: Callable[[], Reader]) -> Reader:
    shape = KVShape(1, KV_HEADS, DIM, context.dtype)
    refusal = kind.refuses(Demand(context.device, shape, context.scale.page))
    if refusal is not None:
        raise ValueError(refusal)
    return make()


def _tried(context: Context, drawn: Drawn, make: Callable[[], Reader], wanted: Tensor) -> Row:
    """A reader that cannot be used, or fails, is told so and hurts no other."""
    try:
        plan = drawn.plan(make())
        off = (drawn.read(plan).float() - wanted).abs().max()
        took = _seconds(context, partial(drawn.read, plan))
    except ValueError as error:
        return {"refused": str(error)}
    except Exception as error:
        if isinstance(error, torch.AcceleratorError):
            raise  # nothing on the device can be relied on any more
        return {"refused": f"failed: {type(error).__name__}: {error}"[:200]}
    return {"off_by": float(off), "layer_ms": 1000 * took}


def _seconds(context: Context, work: Callable[[], object]) -> float:
    return median_seconds(context.device, work, rounds=2 if context.dry else 10)
