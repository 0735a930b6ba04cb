"""Packed plans of drawn keys and values, to time what reads pages."""

from __future__ import annotations

import torch
from torch import Tensor

from memory.pool import KVShape, PagePool
from memory.readers.reader import Plan, Reader
from memory.readers.tables import Span
from memory.scratch import Scratch
from memory.view import View


class Drawn:
    """Sequences that each have a memory and fresh tokens, in one pool of a single layer.

    Args:
        sequences: how many.
        memory: tokens that each remembers.
        fresh: tokens that each brings.
        heads: of queries.
        shape: of keys and values; one layer.
        page: slots per page.
        device: of all.
    """

    def __init__(
        self,
        sequences: int,
        memory: int,
        fresh: int,
        heads: int,
        shape: KVShape,
        page: int,
        device: torch.device,
    ) -> None:
        need = -(-memory // page) + -(-fresh // page)
        self.pool = PagePool(shape, sequences * need, page, device)
        draw = torch.Generator(device).manual_seed(0)
        for store in (self.pool.keys, self.pool.values):
            store.normal_(generator=draw)
        spans, slots = [], []
        for n in range(sequences):
            lease = self.pool.lease(self.pool.pages_for(memory))
            table = [lease.take() for _ in range(lease.rights)]
            view = View.of(table, memory, page, self.pool.device)
            scratch = Scratch(self.pool, fresh)
            slots.append(scratch.extend(fresh))
            spans.append(Span(n * fresh, (n + 1) * fresh, view, scratch.view()))
        self._spans, self._slots = tuple(spans), torch.cat(slots)
        size = (sequences * fresh, heads, shape.head_dim)
        self.query = torch.empty(size, dtype=shape.dtype, device=device).normal_(generator=draw)
        self.scale = shape.head_dim**-0.5

    def plan(self, reader: Reader) -> Plan:
        """For that reader; its tables are made when it first reads."""
        return Plan(self.pool, self._spans, self._slots, reader)

    def read(self, plan: Plan) -> Tensor:
        """Attention of all fresh tokens, [tokens, heads, head_dim]."""
        return plan.reader.read(plan, 0, self.query, self.scale)
