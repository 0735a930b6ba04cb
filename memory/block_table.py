"""A memory's block table: which pages its slots lie in, and who else reads them.

Pages are taken out of a lease, so that growing cannot fail. Pages that a pin names are copied
before they are written, out of pages leased when the pin was set. Belongs to one thread.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, from_numpy

from core.sending import sent
from memory.pool import Lease, PagePool
from memory.view import View


class Pin:
    """Somebody reads these pages: they stay as they are. Release it on the table's thread."""

    def __init__(self, table: BlockTable, pages: list[int], lease: Lease) -> None:
        self.pages = pages
        self.lease = lease
        self._table: BlockTable | None = table

    def release(self) -> None:
        """Give back references and leased pages. Idempotent."""
        if self._table is not None:
            self._table._unpin(self)
            self._table = None


class BlockTable:
    """The pages of one memory.

    Args:
        pool: where they come from.
        capacity: slots it can ever have; leased now.

    Raises:
        CapacityExceeded: if the pool cannot promise the pages.
    """

    def __init__(self, pool: PagePool, capacity: int) -> None:
        self._pool = pool
        self._lease = pool.lease(pool.pages_for(capacity))
        self._pages: list[int] = []
        self._pins: list[Pin] = []

    def view(self, length: int, lengths: Tensor | None = None) -> View:
        """The first `length` slots; valid until the next write.

        Args:
            length: of the head that holds most.
            lengths: of each head where they differ, int [layers, kv_heads].
        """
        pool = self._pool
        return View.of(self._pages, length, pool.page_size, pool.device, lengths)

    def flat(self, places: NDArray[np.int64]) -> Tensor:
        """Flat slots of the pool of the n-th slots of this table, int64 like `places`."""
        size = self._pool.page_size
        pages = np.asarray(self._pages, np.int64)[places // size]
        return sent(from_numpy(pages * size + places % size), self._pool.device)

    def stored(self, places: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Keys and values at places [n], copied, each [layers, kv_heads, n, d]."""
        return self._pool.read(self.flat(places))

    def prepare(self, places: NDArray[np.int64]) -> None:
        """Own, unpinned pages under all `places`: new ones at the end, copies of pinned ones."""
        size = self._pool.page_size
        for number in np.unique(places // size).tolist():
            if number == len(self._pages):
                self._pages.append(self._lease.take())
            elif self._pool.references(self._pages[number]) > 1:
                self._copy_on_write(number)

    def pin(self, length: int) -> Pin:
        """Keep the pages of the first `length` slots as they are.

        Raises:
            CapacityExceeded: if the pool cannot promise the pages that later writes would copy.
        """
        pages = self._pages[: self._pool.pages_for(length)]
        lease = self._pool.lease(len(pages))
        self._pool.hold(pages)
        pin = Pin(self, pages, lease)
        self._pins.append(pin)
        return pin

    def release(self) -> None:
        """Give all pages back; pins keep theirs until they are released. Idempotent."""
        self._pool.drop(self._pages)
        self._pages = []
        self._lease.close()

    def _copy_on_write(self, number: int) -> None:
        old = self._pages[number]
        payer = next(pin for pin in self._pins if old in pin.pages and pin.lease.rights > 0)
        fresh = payer.lease.take()
        try:
            self._pool.copy_page(old, fresh)
        except BaseException:
            payer.lease.put_back(fresh)
            raise
        self._pool.drop([old])
        self._pages[number] = fresh

    def _unpin(self, pin: Pin) -> None:
        self._pins.remove(pin)
        self._pool.drop(pin.pages)
        pin.lease.close()
