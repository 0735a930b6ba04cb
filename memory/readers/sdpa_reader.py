"""What a CPU is fastest with: one gather per sequence, then torch's fused attention."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from memory.readers.partial import NOTHING
from memory.readers.reader import Demand, Plan, Reader
from memory.readers.tables import Span
from memory.readers.torch_reader import read_span


class SdpaReader(Reader):
    """Memory and scratch gathered into one run of keys, so that nothing is left to merge.

    Heads that share keys are put as queries of one head, so decoding needs no mask at all. Where
    heads remember different numbers of tokens, the reference reads.
    """

    @classmethod
    def refuses(cls, demand: Demand) -> str | None:
        """See `Reader.refuses`."""
        return None if demand.device.type == "cpu" else "made for CPUs: a GPU reads pages in place"

    def read(self, plan: Plan, layer: int, query: Tensor, scale: float) -> Tensor:
        """See `Reader.read`."""
        out = torch.empty_like(query)
        for span in plan.spans:
            asked = query[span.start : span.stop]
            if span.memory is not None and span.memory.lengths is not None:
                out[span.start : span.stop] = read_span(plan.pool, layer, span, asked, scale)
            else:
                out[span.start : span.stop] = _attend(plan, layer, span, asked, scale)
        return out


def _attend(plan: Plan, layer: int, span: Span, query: Tensor, scale: float) -> Tensor:
    """Attention of one sequence's queries [q, heads, head_dim], as they came."""
    tokens, heads, dim = query.shape
    keys, values = (
        torch.index_select(store[layer].flatten(0, 1), 0, span.slots).transpose(0, 1)[None]
        for store in (plan.pool.keys, plan.pool.values)
    )  # [1, kv_heads, l, d]
    kv_heads = keys.shape[1]
    grouped = query.to(keys.dtype).view(tokens, kv_heads, -1, dim)  # [q, kv_heads, group, d]
    rows = grouped.permute(1, 2, 0, 3).reshape(1, kv_heads, -1, dim)
    if tokens > 1 and span not in plan.masks:  # all layers hide the same
        plan.masks[span] = _mask(tokens, heads // kv_heads, keys)
    mask = plan.masks.get(span)
    found = F.scaled_dot_product_attention(rows, keys, values, attn_mask=mask, scale=scale)
    unpacked = found[0].view(kv_heads, -1, tokens, dim).permute(2, 0, 1, 3)
    return unpacked.reshape(tokens, heads, dim).to(query.dtype)


def _mask(tokens: int, group: int, keys: Tensor) -> Tensor:
    """What is added to the scores of the last tokens of a run, [group * tokens, l].

    The last query sees all keys, the one before all but the last, ...; so for each of a group.
    """
    length = keys.shape[2]
    hidden = torch.ones(tokens, length, dtype=torch.bool).triu(length - tokens + 1)
    mask = torch.zeros(hidden.shape, dtype=keys.dtype).masked_fill_(hidden, NOTHING)
    return mask.repeat(group, 1)
