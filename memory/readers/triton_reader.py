"""Our own kernel over pages: any page size, any number format, heads of different lengths."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import torch
from torch import Tensor

from memory.readers.paged import PagedReader
from memory.readers.partial import combine
from memory.readers.reader import Demand, Plan
from memory.readers.tables import Side

LARGEST_HEAD = 256


class TritonReader(PagedReader):
    """Splits long views into chunks of equal size, which are computed side by side and combined.

    The chunk does not depend on what else is in the batch, so neither do the sums of a sequence.

    Args:
        chunk: keys that one program goes through.
    """

    def __init__(self, chunk: int = 1024) -> None:
        self._kernel: Any = importlib.import_module("memory.readers.kernel").attend_chunk
        self._chunk = chunk

    @classmethod
    def refuses(cls, demand: Demand) -> str | None:
        """See `Reader.refuses`."""
        if importlib.util.find_spec("triton") is None:
            return "triton is not installed"
        if demand.device.type != "cuda":
            return "needs a CUDA device"
        if demand.shape.head_dim > LARGEST_HEAD:
            return f"heads of {demand.shape.head_dim} are larger than {LARGEST_HEAD}"
        return None

    def partial(
        self, plan: Plan, layer: int, query: Tensor, scale: float, side: Side
    ) -> tuple[Tensor, Tensor]:
        """See `PagedReader.partial`."""
        tokens, heads, dim = query.shape
        pool, tables = plan.pool, plan.tables
        kv_heads, spans = pool.shape.kv_heads, len(side.pages)
        group = heads // kv_heads
        chunks = -(-side.longest // self._chunk)
        out = torch.empty(chunks, tokens, heads, dim, device=query.device)
        lse = torch.empty(chunks, tokens, heads, device=query.device)
        queries = tables.longest_query * group
        blocks = block_sizes(pool.shape.dtype, dim, queries)
        grid = (-(-queries // blocks["ROWS"]), spans * kv_heads, chunks)
        # Triton launches where torch is, not where the tensors are.
        with torch.cuda.device_of(query):  # type: ignore[no-untyped-call]
            self._kernel[grid](
                query, pool.keys[layer], pool.values[layer], out, lse,
                tables.starts, side.pages, side.head_lengths(layer),
                scale, tokens, side.pages.shape[1], kv_heads,
                PAGE=pool.page_size, DIM=dim, GROUP=group, CHUNK=self._chunk,
                CAUSAL=side.causal, **blocks,
            )  # fmt: skip
        return combine(out, lse)


def block_sizes(dtype: torch.dtype, head_dim: int, queries: int) -> dict[str, int]:
    """How much a program takes at once, so that the shared memory of any GPU in use holds it.

    Args:
        dtype: of the pool. float32 has no tensor cores that are exact, and unrolls long code.
        head_dim: of the pool.
        queries: that share a key-value head, in the longest span.
    """
    wide = max(16, 1 << (head_dim - 1).bit_length())
    if dtype is torch.float32:
        return {"ROWS": 16, "COLUMNS": 16, "WIDE": wide}
    rows = 16 if queries <= 16 else 64  # 16 is the least that tensor cores take
    return {"ROWS": rows, "COLUMNS": 32 if wide > 128 else 64, "WIDE": wide}
