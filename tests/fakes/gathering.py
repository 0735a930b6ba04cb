"""A reader over page tables in plain torch: operations on tensors alone, so it is replayable."""

from __future__ import annotations

import torch
from torch import Tensor

from memory.readers.paged import PagedReader
from memory.readers.partial import NOTHING
from memory.readers.reader import Plan
from memory.readers.tables import Side


class GatheringReader(PagedReader):
    """For sequences of one token each: gathers whole tables and hides what is not used of them."""

    def partial(
        self, plan: Plan, layer: int, query: Tensor, scale: float, side: Side
    ) -> tuple[Tensor, Tensor]:
        """See `PagedReader.partial`."""
        tokens, heads, dim = query.shape
        assert len(side.pages) == tokens, "one token each"
        pages = side.pages.long()  # [tokens, width]
        keys, values = (
            store[layer][pages].flatten(1, 2).float()
            for store in (plan.pool.keys, plan.pool.values)
        )  # [tokens, width * page_size, kv_heads, dim]
        kv_heads = keys.shape[2]
        grouped = query.float().view(tokens, kv_heads, heads // kv_heads, dim)
        scores = torch.einsum("thgd,tkhd->thgk", grouped, keys) * scale
        slot = torch.arange(keys.shape[1], device=keys.device)
        unused = slot >= side.head_lengths(layer)[:, :, None]  # [tokens, kv_heads, slots]
        scores = scores.masked_fill(unused[:, :, None], NOTHING)
        lse = scores.logsumexp(dim=-1)
        weights = (scores - lse.masked_fill(lse == NOTHING, 0)[..., None]).exp()
        out = torch.einsum("thgk,tkhd->thgd", weights, values)
        return out.reshape(tokens, heads, dim), lse.reshape(tokens, heads)
