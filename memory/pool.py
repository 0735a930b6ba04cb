"""The page pool: every key and value Lookout holds, allocated once.

A page is a run of slots in all layers at once. Pages are counted references; whoever wants pages
takes out a lease first, so that a promise made is always kept and memory never grows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from core.errors import CapacityExceeded


@dataclass(frozen=True, slots=True)
class KVShape:
    """What one token's keys and values look like."""

    layers: int
    kv_heads: int
    head_dim: int
    dtype: torch.dtype = torch.float32

    @property
    def bytes_per_token(self) -> int:
        """Bytes of keys and values of one token in all layers."""
        return 2 * self.layers * self.kv_heads * self.head_dim * self.dtype.itemsize


class PagePool:
    """Preallocated pages with a free list and reference counts.

    keys, values: [layers, pages, page_size, kv_heads, head_dim]

    Not thread-safe: only the engine's thread touches it, except for the read-only counters.

    Args:
        shape: of one token's keys and values.
        pages: number of pages, fixed for life.
        page_size: slots per page.
        device: where the tensors live.

    Raises:
        CapacityExceeded: if the device has no room for them.
    """

    def __init__(
        self, shape: KVShape, pages: int, page_size: int, device: torch.device | str = "cpu"
    ) -> None:
        if pages < 1 or page_size < 1:
            raise ValueError(f"a pool needs pages and slots, not {pages} x {page_size}")
        size = (shape.layers, pages, page_size, shape.kv_heads, shape.head_dim)
        self.shape = shape
        self.page_size = page_size
        try:
            self.keys = torch.zeros(size, dtype=shape.dtype, device=device)
            self.values = torch.zeros(size, dtype=shape.dtype, device=device)
        except (RuntimeError, MemoryError):
            wanted = pages * page_size * shape.bytes_per_token / 2**30
            raise CapacityExceeded(
                f"{wanted:.1f} GiB of memory for all cameras and answers do not fit on {device}: "
                "lower memory.capacity, engine.max_cameras or engine.max_answers"
            ) from None
        self.device = self.keys.device
        self._references = [0] * pages
        self._free = list(range(pages - 1, -1, -1))  # the lowest page is handed out first
        self._promised = 0

    @property
    def pages(self) -> int:
        """Pages in all."""
        return len(self._references)

    @property
    def free(self) -> int:
        """Pages nobody holds."""
        return len(self._free)

    @property
    def unpromised(self) -> int:
        """Free pages that no lease has a right to."""
        return len(self._free) - self._promised

    @property
    def bytes(self) -> int:
        """Bytes of the whole pool, constant."""
        return self.keys.nbytes + self.values.nbytes

    def pages_for(self, tokens: int) -> int:
        """Pages that `tokens` slots take."""
        return -(-tokens // self.page_size)

    def lease(self, pages: int) -> Lease:
        """The right to take `pages` pages at any later time.

        Raises:
            CapacityExceeded: if fewer are unpromised.
        """
        if pages > self.unpromised:
            raise CapacityExceeded(
                f"{pages} pages of {self.page_size} tokens are needed and "
                f"{self.unpromised} are free: detach a camera, or raise engine.max_cameras or "
                "engine.max_answers, for which memory is set aside at start"
            )
        self._promised += pages
        return Lease(self, pages)

    def hold(self, pages: Iterable[int]) -> None:
        """Add one reference to each page."""
        for page in pages:
            assert self._references[page] > 0, "only a page in use can be shared"
            self._references[page] += 1

    def drop(self, pages: Iterable[int]) -> None:
        """Take one reference from each page; a page without references is free again."""
        for page in pages:
            assert self._references[page] > 0, "a page was dropped twice"
            self._references[page] -= 1
            if self._references[page] == 0:
                self._free.append(page)

    def references(self, page: int) -> int:
        """How many tables name this page."""
        return self._references[page]

    def copy_slots(self, source: Tensor, target: Tensor) -> None:
        """Copy keys and values slot by slot in all layers; the two sets must not overlap.

        Args:
            source: flat slots, int64 [n] (page * page_size + offset).
            target: flat slots, int64 [n].
        """
        for store in (self.keys, self.values):
            flat = store.flatten(1, 2)  # [layers, slots, kv_heads, head_dim]
            flat[:, target] = flat[:, source]

    def copy_entries(self, layer: Tensor, head: Tensor, source: Tensor, target: Tensor) -> None:
        """Copy keys and values of single heads; sources and targets must not overlap.

        Args:
            layer: int64 [n].
            head: int64 [n].
            source: flat slots, int64 [n].
            target: flat slots, int64 [n].
        """
        for store in (self.keys, self.values):
            flat = store.flatten(1, 2)
            flat[layer, target, head] = flat[layer, source, head]

    def entries(self, layer: Tensor, head: Tensor, slots: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of single heads, copied, each [n, d].

        Args:
            layer: int64 [n].
            head: int64 [n].
            slots: flat slots, int64 [n].
        """
        keys, values = (
            store.flatten(1, 2)[layer, slots, head] for store in (self.keys, self.values)
        )
        return keys, values

    def write_entries(
        self, layer: Tensor, head: Tensor, slots: Tensor, stored: tuple[Tensor, Tensor]
    ) -> None:
        """The inverse of `entries`."""
        for store, made in zip((self.keys, self.values), stored, strict=True):
            store.flatten(1, 2)[layer, slots, head] = made

    def spread(self, source: Tensor, target: Tensor) -> None:
        """Copy tokens to places that differ from head to head.

        Args:
            source: flat slots, int64 [n].
            target: flat slots, int64 [layers, kv_heads, n]; none of them a source.
        """
        for store in (self.keys, self.values):
            flat = store.flatten(1, 2)
            flat[self._heads(target)] = flat[:, source].transpose(1, 2)

    def read(self, slots: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of flat slots [n], copied, each [layers, kv_heads, n, d]."""
        keys, values = (
            store.flatten(1, 2)[:, slots].transpose(1, 2) for store in (self.keys, self.values)
        )
        return keys, values

    def write(self, target: Tensor, keys: Tensor, values: Tensor) -> None:
        """Store keys and values that were made, not computed by a forward.

        Args:
            target: flat slots, int64 [layers or 1, kv_heads or 1, n].
            keys: [layers, kv_heads, n, head_dim].
            values: as keys.
        """
        places = self._heads(target.expand(self.shape.layers, self.shape.kv_heads, -1))
        for store, made in ((self.keys, keys), (self.values, values)):
            store.flatten(1, 2)[places] = made.to(store.dtype)

    def read_heads(self, slots: Tensor) -> tuple[Tensor, Tensor]:
        """What `write` puts back: keys and values, copied, each [layers, kv_heads, n, d].

        Args:
            slots: flat slots, int64 [layers or 1, kv_heads or 1, n].
        """
        places = self._heads(slots.expand(self.shape.layers, self.shape.kv_heads, -1))
        keys, values = (store.flatten(1, 2)[places] for store in (self.keys, self.values))
        return keys, values

    def _heads(self, slots: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The index of flat slots [layers, kv_heads, n] in a flattened store."""
        layers, heads, _ = slots.shape
        layer = torch.arange(layers, device=slots.device)[:, None, None]
        return layer, slots, torch.arange(heads, device=slots.device)[None, :, None]

    def copy_page(self, source: int, target: int) -> None:
        """Copy a whole page in all layers."""
        self.keys[:, target] = self.keys[:, source]
        self.values[:, target] = self.values[:, source]

    def check(self) -> None:
        """Assert that free list, references and promises agree; cheap enough for production."""
        assert sorted(self._free) == [p for p, n in enumerate(self._references) if n == 0]
        assert 0 <= self._promised <= len(self._free)

    def _take(self) -> int:
        page = self._free.pop()
        self._references[page] = 1
        self._promised -= 1
        return page

    def _untake(self, page: int) -> None:
        self.drop([page])
        self._promised += 1

    def _return(self, rights: int) -> None:
        self._promised -= rights


class Lease:
    """The right to a number of pages. Close it to give back what was not taken."""

    def __init__(self, pool: PagePool, rights: int) -> None:
        self._pool = pool
        self.rights = rights

    def take(self) -> int:
        """A page with one reference, owned by the caller."""
        assert self.rights > 0, "a lease was overdrawn"
        self.rights -= 1
        return self._pool._take()

    def put_back(self, page: int) -> None:
        """A page just taken is not needed after all: the right to one is there again."""
        self._pool._untake(page)
        self.rights += 1

    def close(self) -> None:
        """Give back the unused rights; pages taken are not touched. Idempotent."""
        self._pool._return(self.rights)
        self.rights = 0
