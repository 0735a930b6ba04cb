"""The reference: gathers pages and computes in float32 with plain torch, on any device."""

from __future__ import annotations

import torch
from torch import Tensor

from memory.pool import PagePool
from memory.readers.partial import merge, partial_attention
from memory.readers.reader import Plan, Reader
from memory.readers.tables import Span
from memory.scratch import gather
from memory.view import View


class TorchReader(Reader):
    """What all other readers are compared with."""

    def read(self, plan: Plan, layer: int, query: Tensor, scale: float) -> Tensor:
        """See `Reader.read`."""
        out = torch.empty_like(query)
        for span in plan.spans:
            q = query[span.start : span.stop]
            out[span.start : span.stop] = read_span(plan.pool, layer, span, q, scale)
        return out


def read_span(pool: PagePool, layer: int, span: Span, query: Tensor, scale: float) -> Tensor:
    """Attention of one sequence's queries [q, heads, head_dim], in their number format."""
    keys, values = gather(pool, layer, span.scratch)
    part, lse = partial_attention(query, keys, values, scale, causal=True)
    if span.memory is not None and span.memory.length:
        past = read_memory(pool, layer, span.memory, query, scale)
        part, _ = merge(part, lse, *past)
    return part.to(query.dtype)


def read_memory(
    pool: PagePool, layer: int, view: View, query: Tensor, scale: float
) -> tuple[Tensor, Tensor]:
    """Partial attention of queries [q, heads, head_dim] over the whole view, each head its own."""
    keys, values = gather(pool, layer, view)
    lengths = None if view.lengths is None else view.lengths[layer]
    return partial_attention(query, keys, values, scale, causal=False, lengths=lengths)
