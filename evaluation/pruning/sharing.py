"""Reads a memory once for all questions about it: faster than the reference, and the same."""

from __future__ import annotations

from itertools import groupby

import torch
from torch import Tensor

from memory.readers.partial import merge, partial_attention
from memory.readers.reader import Plan, Reader
from memory.readers.tables import Span
from memory.readers.torch_reader import read_memory
from memory.scratch import gather


class SharingReader(Reader):
    """For many answers on few memories; neighbouring spans that read one view are read together.

    A query reads its memory whole, so that the spans' queries may be asked as one. Answers that are
    being decoded have one query each, and their private keys are read as one padded batch.
    """

    def read(self, plan: Plan, layer: int, query: Tensor, scale: float) -> Tensor:
        """See `Reader.read`."""
        out = torch.empty_like(query)
        for _, group in groupby(plan.spans, key=lambda span: id(span.memory)):
            spans = list(group)
            start, stop = spans[0].start, spans[-1].stop
            q = query[start:stop]
            if len(spans) > 1 and stop - start == len(spans):
                part, lse = _decoding(plan, layer, q, spans, scale)
            else:
                part, lse = _reading(plan, layer, query, spans, scale)
            view = spans[0].memory
            if view is not None and view.length:
                part, _ = merge(part, lse, *read_memory(plan.pool, layer, view, q, scale))
            out[start:stop] = part.to(query.dtype)
        return out


def _reading(
    plan: Plan, layer: int, query: Tensor, spans: list[Span], scale: float
) -> tuple[Tensor, Tensor]:
    """Each span's tokens on their own scratch, causally."""
    parts = []
    for span in spans:
        keys, values = gather(plan.pool, layer, span.scratch)
        own = query[span.start : span.stop]
        parts.append(partial_attention(own, keys, values, scale, causal=True))
    return torch.cat([out for out, _ in parts]), torch.cat([lse for _, lse in parts])


def _decoding(
    plan: Plan, layer: int, query: Tensor, spans: list[Span], scale: float
) -> tuple[Tensor, Tensor]:
    """One query for each span, [rows, heads, head_dim], on its own scratch."""
    lengths = [span.scratch.length for span in spans]
    slots = torch.nn.utils.rnn.pad_sequence([s.scratch.slots for s in spans], batch_first=True)
    keys = plan.pool.keys[layer].flatten(0, 1)[slots].float()  # [rows, k, kv_heads, head_dim]
    values = plan.pool.values[layer].flatten(0, 1)[slots].float()
    rows, heads, dim = query.shape
    grouped = query.float().view(rows, keys.shape[2], -1, dim)  # [rows, kv_heads, group, head_dim]
    scores = torch.einsum("rhgd,rkhd->rhgk", grouped, keys) * scale
    places = torch.arange(slots.shape[1], device=slots.device)
    beyond = places >= torch.tensor(lengths, device=slots.device)[:, None]  # [rows, k]
    scores = scores.masked_fill(beyond[:, None, None], float("-inf"))
    lse = scores.logsumexp(dim=-1)
    out = torch.einsum("rhgk,rkhd->rhgd", (scores - lse[..., None]).exp(), values)
    return out.reshape(rows, heads, dim), lse.reshape(rows, heads)
