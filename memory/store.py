"""The tokens that a memory holds, head by head, in slots of the pool.

Attention does not mind the order of slots, so what is given up is overwritten: tokens at the end
move into the holes, new ones follow. What is known of them is replaced, never changed in place, and
what is overwritten is copied before: so every change can be taken back.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.sending import sent
from memory.block_table import BlockTable
from memory.pool import PagePool
from memory.table import TokenTable
from memory.undo import Undo

log = logging.getLogger("lookout.memory")


class Store:
    """Slots of one memory, and which token each of them holds.

    Attributes:
        tokens: what is known of each token that some head holds, oldest first.
        rows: which row of `tokens` each slot holds, int64 [l, h, held], -1 for none.
        lengths: tokens that each head holds, int64 [l, h].
        broken: whether a change failed and could not be taken back: nothing in it means anything.

    Args:
        pool: where its pages live.
        capacity: most tokens that any head ever holds; leased now.
        per_head: whether heads may come to hold different tokens; l and h are 1 where not.

    Raises:
        CapacityExceeded: if the pool cannot promise the pages.
    """

    def __init__(self, pool: PagePool, capacity: int, *, per_head: bool) -> None:
        self.pool = pool
        self.tokens = TokenTable.empty()
        heads = (pool.shape.layers, pool.shape.kv_heads) if per_head else (1, 1)
        self.rows = torch.full((*heads, 0), -1, dtype=torch.int64)
        self.lengths = torch.zeros(heads, dtype=torch.int64)
        self.broken = False
        self._per_head = per_head
        self._undo: Undo | None = None
        self.table = BlockTable(pool, capacity)  # last: what it leases must not be lost

    @property
    def held(self) -> int:
        """Tokens stored now, by the head that holds most."""
        return int(self.rows.shape[-1])

    @property
    def changing(self) -> bool:
        """Whether a change is being made."""
        return self._undo is not None

    @contextmanager
    def change(self) -> Iterator[None]:
        """All writes within are made, or none if one of them fails."""
        assert self._undo is None, "one change at a time"
        assert not self.broken, "nothing in it means anything"
        before = self.tokens, self.rows, self.lengths
        self._undo = Undo(self.pool)
        try:
            yield
        except BaseException:
            self._take_back(self._undo)
            self.tokens, self.rows, self.lengths = before
            raise
        finally:
            self._undo = None

    def slots(self) -> Tensor:
        """Flat slots of the pool that are in use, int64 [held]."""
        return self.table.flat(np.arange(self.held))

    def retain(self, stay: Tensor) -> None:
        """Close the holes: the last slots that stay move into those given up.

        Args:
            stay: which slots stay, bool [l, h, held]; those that hold nothing do not count.
        """
        stay = stay & (self.rows >= 0)
        lengths = stay.sum(-1)
        inside = torch.arange(self.held) < lengths[..., None]
        holes, movers = (~stay & inside).nonzero(), (stay & ~inside).nonzero()
        rows = self.rows.masked_fill(~inside, -1)
        if len(holes):
            self.table.prepare(np.unique(holes[:, 2].numpy()))
            source, target = (self.table.flat(x[:, 2].numpy()) for x in (movers, holes))
            self._move(holes, source, target)
            rows[holes.unbind(1)] = self.rows[movers.unbind(1)]
        self.rows, self.lengths = rows[..., : int(lengths.max())], lengths
        self._forget_tokens()

    def add(
        self,
        new: TokenTable,
        source: Tensor | None,
        made: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        """Put tokens after what each head holds, out of slots of the pool or as they are given.

        Args:
            new: what is known of them, [n].
            source: flat slots of their keys and values in all layers, int64 [n].
            made: keys and values instead, each [layers, kv_heads, n, d].
        """
        n, heads = len(new), self.rows.shape[:2]
        places = self.lengths[..., None] + torch.arange(n)  # [l, h, n]
        lengths = self.lengths + n
        fresh = torch.full((*heads, int(lengths.max()) - self.held), -1, dtype=torch.int64)
        rows = torch.cat([self.rows, fresh], dim=-1)
        numbers = torch.arange(len(self.tokens), len(self.tokens) + n).expand(*heads, n)
        rows.scatter_(2, places, numbers)
        tokens = self.tokens.joined(new)
        if n:
            self.table.prepare(np.unique(places.numpy()))
            self._fill(self.table.flat(places.flatten().numpy()).view(*heads, n), source, made)
        self.tokens, self.rows, self.lengths = tokens, rows, lengths

    def replace_first(self, source: Tensor, rows: NDArray[np.int64], at: NDArray[np.int64]) -> None:
        """Put the same first tokens, computed at other positions, in the place of the present ones.

        Args:
            source: flat slots of their keys and values in all layers, int64 [n].
            rows: of `tokens`, [n].
            at: rotary (t, h, w), [n, 3].
        """
        places = np.arange(len(rows))
        self.table.prepare(places)
        target = self.table.flat(places)
        self._keep_slots(target)
        self.pool.copy_slots(source, target)
        tokens = self.tokens.rows(np.arange(len(self.tokens)))
        tokens.positions[rows] = at
        self.tokens = tokens

    def fill(self, tokens: TokenTable, rows: Tensor, keys: Tensor, values: Tensor) -> None:
        """Hold what was saved, in a store that holds nothing yet.

        Args:
            tokens: see `tokens`.
            rows: see `rows`.
            keys: [layers, kv_heads, held, d].
            values: as keys.
        """
        places = np.arange(rows.shape[-1])
        self.table.prepare(places)
        keys, values = (x.to(self.pool.device) for x in (keys, values))
        self.pool.write(self.table.flat(places)[None, None], keys, values)
        self.tokens = tokens.rows(np.arange(len(tokens)))
        self.rows, self.lengths = rows.clone(), (rows >= 0).sum(-1)

    def release(self) -> None:
        """Give all pages back. Idempotent."""
        self.table.release()
        self.tokens = TokenTable.empty()
        self.rows = self.rows[..., :0]
        self.lengths = torch.zeros_like(self.lengths)

    def _move(self, holes: Tensor, source: Tensor, target: Tensor) -> None:
        if not self._per_head:
            self._keep_slots(target)
            self.pool.copy_slots(source, target)
            return
        layer, head = (sent(column, self.pool.device) for column in holes[:, :2].unbind(1))
        if self._undo is not None:
            self._undo.entries(layer, head, target)
        self.pool.copy_entries(layer, head, source, target)

    def _fill(
        self, target: Tensor, source: Tensor | None, made: tuple[Tensor, Tensor] | None
    ) -> None:
        """Write to flat slots [l, h, n]."""
        if source is not None and not self._per_head:
            self._keep_slots(target.flatten())
            self.pool.copy_slots(source, target.flatten())
            return
        if self._undo is not None:
            self._undo.heads(target)
        if made is not None:
            self.pool.write(target, *made)
        elif source is not None:
            self.pool.spread(source, target)

    def _keep_slots(self, slots: Tensor) -> None:
        if self._undo is not None:
            self._undo.slots(slots)

    def _take_back(self, undo: Undo) -> None:
        try:
            undo.take_back()
        except Exception:
            log.exception("a change of a memory failed and could not be taken back")
            self.broken = True

    def _forget_tokens(self) -> None:
        """Drop the rows of tokens that no head holds any more."""
        used = torch.zeros(len(self.tokens) + 1, dtype=torch.bool)
        used[self.rows.flatten()] = True  # -1, no token, marks the surplus last place
        kept = used[:-1].nonzero()[:, 0]
        number = torch.cat([used[:-1].cumsum(0) - 1, torch.tensor([-1])])
        rows, tokens = number[self.rows], self.tokens.rows(kept.numpy())
        self.rows, self.tokens = rows, tokens
