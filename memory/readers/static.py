"""Page tables that stay where they are, for sequences that bring one token each.

What was recorded once over them can be replayed with other numbers in them. They are as wide as the
longest memory and the longest scratch may be; what is not used of them is never read.
"""

from __future__ import annotations

import torch
from torch import Tensor

from memory.pool import PagePool
from memory.readers.tables import Side, Tables
from memory.view import View


class StaticTables:
    """Tables of `rows` sequences.

    `set_memory` and `set_scratch` change single rows and may be called at any time. `load` copies
    what changes with every token; it is made of nothing but operations on the device, so that it
    can be recorded.

    Args:
        pool: whose pages are named.
        rows: sequences.
        memory_tokens: most that one remembers.
        scratch_tokens: most that one has in its scratch.
        by_head: whether heads may hold different numbers of tokens, which the reader must allow.
    """

    def __init__(
        self,
        pool: PagePool,
        rows: int,
        memory_tokens: int,
        scratch_tokens: int,
        *,
        by_head: bool = False,
    ) -> None:
        self.rows = rows
        self.widths = pool.pages_for(memory_tokens), pool.pages_for(scratch_tokens)
        self._page_size = pool.page_size
        self._by_head = None
        if by_head:
            heads = (pool.shape.layers, rows, pool.shape.kv_heads)
            self._by_head = torch.zeros(heads, dtype=torch.int32, device=pool.device)
        self._memory = self._side(pool, memory_tokens, self.widths[0], causal=False)
        self._scratch = self._side(pool, scratch_tokens, self.widths[1], causal=True)
        starts = torch.arange(rows + 1, dtype=torch.int32, device=pool.device)
        self.tables = Tables(starts, 1, self._memory, self._scratch)

    def fits(self, memory: View | None, scratch_tokens: int) -> bool:
        """Whether a sequence finds room; heads that differ need tables made for them."""
        seen = 0 if memory is None else self._pages(memory.length)
        own = self._pages(scratch_tokens)
        even = memory is None or memory.lengths is None
        return (
            (even or self._by_head is not None) and seen <= self.widths[0] and own <= self.widths[1]
        )

    def set_memory(self, row: int, view: View | None) -> None:
        """Let a sequence read another memory."""
        if view is not None and len(view.pages):
            self._memory.pages[row, : len(view.pages)].copy_(view.pages, non_blocking=True)
        if self._by_head is None:
            return
        if view is None or view.lengths is None:
            self._by_head[:, row] = 0 if view is None else view.length
        else:
            self._by_head[:, row].copy_(view.lengths, non_blocking=True)

    def set_scratch(self, row: int, pages: Tensor) -> None:
        """Let a sequence read other pages of its own, int32 [n], on any device."""
        self._scratch.pages[row, : len(pages)].copy_(pages, non_blocking=True)

    def load(self, memory: Tensor, scratch: Tensor) -> None:
        """How many tokens each sequence reads now.

        Args:
            memory: of its memory, by the head that reads most, int64 [rows], on the device; 0 where
                there is none.
            scratch: of its scratch, the token it brings included, int64 [rows], on the device.
        """
        for side, lengths in ((self._memory, memory), (self._scratch, scratch)):
            side.lengths.copy_(lengths)
            side.even.copy_(lengths[:, None].expand_as(side.even))
            if side.blind is not None:
                torch.eq(lengths, 0, out=side.blind)

    def _side(self, pool: PagePool, tokens: int, width: int, *, causal: bool) -> Side:
        def table(*size: int) -> Tensor:
            return torch.zeros(size, dtype=torch.int32, device=pool.device)

        blind = None if causal else torch.ones(self.rows, dtype=torch.bool, device=pool.device)
        return Side(
            pages=table(self.rows, width),
            lengths=table(self.rows),
            even=table(self.rows, pool.shape.kv_heads),
            longest=tokens,
            causal=causal,
            blind=blind,
            by_head=None if causal else self._by_head,
        )

    def _pages(self, tokens: int) -> int:
        return -(-tokens // self._page_size)
