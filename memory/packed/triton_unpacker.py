"""Our own kernels over packed blocks; what another codec packed goes the reference's way."""

from __future__ import annotations

import importlib
import importlib.util
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from memory.codecs.block import TOKENS, Block
from memory.codecs.codec import Codec
from memory.packed.blocks import Blocks
from memory.packed.torch_unpacker import TorchUnpacker
from memory.packed.unpacker import Unpacker
from memory.pool import PagePool
from memory.readers.partial import combine
from memory.readers.reader import Demand
from memory.readers.triton_reader import LARGEST_HEAD
from memory.recall.step import Step
from memory.rotation import Rotation

_PLANES = ("codes", "step", "centre")  # as the kernels want them


class TritonUnpacker(Unpacker):
    """Codes become keys and values in registers; nothing thawed is stored on the way.

    Args:
        chunk: blocks that one program of attention goes through.
    """

    def __init__(self, chunk: int = 8) -> None:
        self._kernels: Any = importlib.import_module("memory.packed.kernels")
        self._chunk = chunk

    @classmethod
    def refuses(cls, demand: Demand) -> str | None:
        """See `Unpacker.refuses`."""
        if importlib.util.find_spec("triton") is None:
            return "triton is not installed"
        if demand.device.type != "cuda":
            return "needs a CUDA device"
        if demand.shape.dtype is torch.float64:
            return "computes in float32"
        if demand.shape.head_dim > LARGEST_HEAD:
            return f"heads of {demand.shape.head_dim} are larger than {LARGEST_HEAD}"
        return None

    def put(
        self,
        steps: Sequence[Step],
        bases: Sequence[int],
        rotation: Rotation,
        pool: PagePool,
        slots: Tensor,
    ) -> None:
        """See `Unpacker.put`."""
        parts = torch.split(slots, [len(step) for step in steps])
        together: dict[Codec, list[int]] = defaultdict(list)
        for number, step in enumerate(steps):
            together[step.run.codec].append(number)
        for codec, numbers in together.items():
            some, at = [steps[n] for n in numbers], [bases[n] for n in numbers]
            where = torch.cat([parts[n] for n in numbers])
            if isinstance(codec, Block):
                self._thaw(Blocks.of(some, at, rotation, pool.device), pool, where)
            else:
                TorchUnpacker().put(some, at, rotation, pool, where)

    def attend(
        self, blocks: Blocks, layer: int, query: Tensor, scale: float
    ) -> tuple[Tensor, Tensor]:
        """See `Unpacker.attend`."""
        _, kv_heads, count, d = blocks.shape
        queries, heads, _ = query.shape
        group, chunks = heads // kv_heads, -(-count // self._chunk)
        out = torch.empty(chunks, queries, heads, d, device=query.device)
        lse = torch.empty(chunks, queries, heads, device=query.device)
        sizes = attention_sizes(query.dtype, d, queries * group)
        grid = (-(-queries * group // sizes["ROWS"]), kv_heads, chunks)
        # Triton launches where torch is, not where the tensors are.
        with torch.cuda.device_of(query):  # type: ignore[no-untyped-call]
            self._kernels.attend_blocks[grid](
                query.contiguous(), out, lse, *_planes(blocks, layer),
                *blocks.turns, blocks.read,
                scale, blocks.largest, queries, count, kv_heads,
                TOKENS=TOKENS, BITS=blocks.codec.bits, HALF=d // 2,
                GROUP=group, CHUNK=self._chunk, **sizes,
            )  # fmt: skip
        return combine(out, lse)

    def _thaw(self, blocks: Blocks, pool: PagePool, slots: Tensor) -> None:
        layers, heads, count, d = blocks.shape
        with torch.cuda.device_of(pool.keys):  # type: ignore[no-untyped-call]
            self._kernels.thaw_blocks[(count, layers * heads)](
                pool.keys, pool.values, *_planes(blocks), *blocks.turns, blocks.targets(slots),
                blocks.largest, count, pool.pages * pool.page_size, heads,
                TOKENS=TOKENS, BITS=blocks.codec.bits, HALF=d // 2, WIDE=width(d),
            )  # fmt: skip


def width(d: int) -> int:
    """Channels of half a head that a program takes: a power of two that tensor cores accept."""
    return max(16, 1 << (d // 2 - 1).bit_length())


def attention_sizes(dtype: torch.dtype, d: int, rows: int) -> dict[str, int]:
    """How much a program of attention takes at once, so that any GPU in use holds it.

    Args:
        dtype: of the queries. float32 has no tensor cores that are exact, and unrolls long code.
        d: of a head.
        rows: queries that share a key-value head.
    """
    if dtype is torch.float32:
        return {"ROWS": 16, "COLUMNS": 16, "WIDE": width(d)}
    return {"ROWS": 16 if rows <= 16 else 64, "COLUMNS": 32, "WIDE": width(d)}


def _planes(blocks: Blocks, layer: int | None = None) -> list[Tensor]:
    """Planes of keys, then of values, of one layer or of all."""
    found = [planes[name] for planes in (blocks.keys, blocks.values) for name in _PLANES]
    return found if layer is None else [plane[layer] for plane in found]
