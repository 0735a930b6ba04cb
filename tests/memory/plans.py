"""Packed plans over a small pool, and what plain attention says of them."""

from __future__ import annotations

import torch
from torch import Tensor

from memory.pool import KVShape, PagePool
from memory.readers.reader import Plan, Reader
from memory.readers.tables import Span
from memory.scratch import Scratch
from memory.view import View


class Packed:
    """Sequences with memories and scratches in one pool, and their next tokens.

    Args:
        sequences: (tokens in memory, tokens in scratch before, fresh tokens) of each; None in
            place of the first for a sequence without any memory.
        shape: of the pool.
        heads: query heads.
        page_size: slots per page.
        lengths: of the memories' heads, int [layers, kv_heads] per sequence; None: all.
        seed: of the numbers.
        device: of the pool.
    """

    def __init__(
        self,
        sequences: list[tuple[int | None, int, int]],
        shape: KVShape,
        *,
        heads: int,
        page_size: int = 16,
        lengths: dict[int, Tensor] | None = None,
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        draw = torch.Generator().manual_seed(seed)
        self.heads = heads
        self.scale = shape.head_dim**-0.5
        need = [-(-((m or 0) + 1) // page_size) + -(-(b + f) // page_size) for m, b, f in sequences]
        self.pool = PagePool(shape, sum(need) + 4, page_size, device)
        for store in (self.pool.keys, self.pool.values):
            store.copy_(torch.randn(store.shape, generator=draw))
        mixed = torch.randperm(self.pool.pages, generator=draw).tolist()
        self.pool._free = mixed  # so that no table is a run of neighbours
        self.scratches: list[Scratch] = []
        spans, slots, start = [], [], 0
        for i, (memory, before, fresh) in enumerate(sequences):
            view = None if memory is None else self._memory(memory, (lengths or {}).get(i))
            scratch = Scratch(self.pool, before + fresh)
            scratch.extend(before)
            slots.append(scratch.extend(fresh))
            spans.append(Span(start, start + fresh, view, scratch.view()))
            start += fresh
            self.scratches.append(scratch)
        self.spans = tuple(spans)
        self.slots = torch.cat(slots)
        sizes = ((start, heads), (start, shape.kv_heads), (start, shape.kv_heads))
        self.fresh = [
            torch.randn(n, h, shape.head_dim, generator=draw).to(device, shape.dtype)
            for n, h in sizes
        ]

    def _memory(self, length: int, lengths: Tensor | None) -> View:
        lease = self.pool.lease(self.pool.pages_for(length))
        table = [lease.take() for _ in range(lease.rights)]
        return View.of(table, length, self.pool.page_size, self.pool.device, lengths)

    def plan(self, reader: Reader, sequences: list[int] | None = None) -> Plan:
        """The plan of all sequences, or of some as if they were alone."""
        if sequences is None:
            return Plan(self.pool, self.spans, self.slots, reader)
        spans, slots, start = [], [], 0
        for span in (self.spans[i] for i in sequences):
            stop = start + span.stop - span.start
            spans.append(Span(start, stop, span.memory, span.scratch))
            slots.append(self.slots[span.start : span.stop])
            start = stop
        return Plan(self.pool, tuple(spans), torch.cat(slots), reader)

    def attend(self, reader: Reader, layer: int) -> Tensor:
        """What the reader makes of the plan, [tokens, heads, head_dim]."""
        return self.plan(reader).attend(layer, *self.fresh, self.scale)

    def expected(self, layer: int) -> Tensor:
        """Softmax over each head's own keys and nothing else, float32 [tokens, heads, head_dim].

        Call it after `attend`, which stores the fresh keys.
        """
        query = self.fresh[0].float()
        out = torch.empty_like(query)
        group = self.heads // self.pool.shape.kv_heads
        for span in self.spans:
            own = span.scratch.slots
            for token in range(span.start, span.stop):
                seen = own[: len(own) - (span.stop - token) + 1]
                for head in range(self.heads):
                    slots = torch.cat([self._past(span.memory, layer, head // group), seen])
                    keys, values = (
                        store[layer].flatten(0, 1)[slots, head // group].float()
                        for store in (self.pool.keys, self.pool.values)
                    )
                    scores = keys @ query[token, head] * self.scale
                    out[token, head] = scores.softmax(0) @ values
        return out

    @staticmethod
    def _past(memory: View | None, layer: int, kv_head: int) -> Tensor:
        if memory is None:
            return torch.empty(0, dtype=torch.int64)
        if memory.lengths is None:
            return memory.slots
        return memory.slots[: int(memory.lengths[layer, kv_head])]

    def permute(self, sequence: int, seed: int = 0) -> None:
        """Store the tokens of each head of a memory in another order."""
        view = self.memory_of(sequence)
        draw = torch.Generator().manual_seed(seed)
        for layer in range(self.pool.shape.layers):
            for head in range(self.pool.shape.kv_heads):
                used = self._past(view, layer, head)
                other = used[torch.randperm(len(used), generator=draw).to(used.device)]
                for store in (self.pool.keys, self.pool.values):
                    flat = store[layer].flatten(0, 1)
                    flat[used, head] = flat[other, head]

    def memory_of(self, sequence: int) -> View:
        """The memory of a sequence that has one."""
        view = self.spans[sequence].memory
        assert view is not None
        return view
