"""The reference: gathers pages and computes in float32 with plain torch, on any device."""

from __future__ import annotations

import torch
from torch import Tensor

from memory.pool import PagePool
from memory.readers.partial import merge, partial_attention
from memory.readers.reader import Plan, Reader
from memory.scratch import gather
from memory.view import View


class TorchReader(Reader):
    """What all other readers are compared with."""

    def read(self, plan: Plan, layer: int, query: Tensor, scale: float) -> Tensor:
        """See `Reader.read`."""
        out = torch.empty_like(query)
        for span in plan.spans:
            q = query[span.start : span.stop]
            keys, values = gather(plan.pool, layer, span.scratch)
            part, lse = partial_attention(q, keys, values, scale, causal=True)
            if span.memory is not None and span.memory.length:
                past = read_memory(plan.pool, layer, span.memory, q, scale)
                part, _ = merge(part, lse, *past)
            out[span.start : span.stop] = part.to(query.dtype)
        return out


def read_memory(
    pool: PagePool, layer: int, view: View, query: Tensor, scale: float
) -> tuple[Tensor, Tensor]:
    """Partial attention of queries [q, heads, head_dim] over the whole view, each head its own."""
    keys, values = gather(pool, layer, view)
    lengths = None if view.lengths is None else view.lengths[layer]
    return partial_attention(query, keys, values, scale, causal=False, lengths=lengths)
