"""Bytes set aside once, from which runs are cut.

The bytes are slots of one size. A run takes as many as it needs, any of them, so no order of
coming and going splits the room into pieces that are too small: what is lost is the unused end of
each run's last slot. In front of the slots lies room that grows and shrinks (landmarks lie there);
slots that are in its way are moved to free ones.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.errors import CapacityExceeded
from core.sending import sent

_FREE: Final = -1


class Arena:
    """A fixed number of bytes; belongs to one thread.

    Args:
        nbytes: set aside now; never more, never fewer.
        slot: bytes of a slot, a multiple of 16.
        device: where they are.
        pinned: whether they are host memory that a GPU copies from without a detour.

    Raises:
        CapacityExceeded: if there is no room for them.
    """

    def __init__(
        self, nbytes: int, slot: int, device: torch.device | str = "cpu", *, pinned: bool = False
    ) -> None:
        try:
            self._data = torch.zeros(nbytes, dtype=torch.uint8, device=device, pin_memory=pinned)
        except (RuntimeError, MemoryError):
            raise CapacityExceeded(
                f"{nbytes / 2**30:.2f} GiB for a camera's archive do not fit on {device}: lower "
                "memory.archive.max_bytes, memory.archive.host_bytes or engine.max_cameras"
            ) from None
        self.device = self._data.device
        self.nbytes = nbytes
        self.slot = slot
        count = nbytes // slot
        self._begin = nbytes - count * slot  # byte of the first slot
        self._slots = self._data[self._begin :].view(count, slot)
        self._owner: NDArray[np.int64] = np.full(count, _FREE)  # key of the run in each slot
        self._taken: dict[int, NDArray[np.int64]] = {}  # slots of each key, in order
        self._count = 0  # slots taken
        self._first = 0  # slots before it belong to the front
        self._front = 0  # bytes
        self._next = 0

    @property
    def used(self) -> int:
        """Bytes that are taken: those of whole slots, and the front."""
        return self._front + self.slot * self._count

    def takes(self, nbytes: int) -> int:
        """Bytes that a run of so many takes."""
        return -(-nbytes // self.slot) * self.slot

    def fits(self, nbytes: int) -> bool:
        """Whether there is room for a run of so many bytes."""
        return self.takes(nbytes) <= self._free * self.slot

    def put(self, data: Tensor) -> int:
        """Copy a run in; the key under which it is read and dropped.

        Args:
            data: uint8 [n], from any device; `fits(n)`.
        """
        count = -(-len(data) // self.slot)
        assert count <= self._free, "it was asked whether it fits"
        free = np.flatnonzero(self._owner[self._first :] == _FREE)[-count:] + self._first
        whole = len(data) // self.slot * self.slot
        places = sent(torch.from_numpy(free), self._data.device)
        data = sent(data, self._data.device)
        if whole:
            self._slots[places[: whole // self.slot]] = data[:whole].view(-1, self.slot)
        if whole < len(data):
            self._slots[int(free[-1]), : len(data) - whole] = data[whole:]
        key, self._next = self._next, self._next + 1  # all of it is there: now it is taken
        self._owner[free], self._taken[key] = key, free
        self._count += count
        return key

    def read(self, key: int, nbytes: int) -> Tensor:
        """A copy of the first bytes of a run, uint8 [nbytes]."""
        places = sent(torch.from_numpy(self._taken[key]), self._data.device)
        return self._slots[places].view(-1)[:nbytes]

    def drop(self, key: int) -> None:
        """Free the slots of a run."""
        slots = self._taken.pop(key)
        self._owner[slots] = _FREE
        self._count -= len(slots)

    def front(self, nbytes: int) -> Tensor:
        """The first bytes, uint8 [nbytes]: kept free of slots until another number is asked for.

        What was in them stays; `makes_front(nbytes)`.
        """
        assert self.makes_front(nbytes), "it was asked whether it fits"
        first = max(0, -(-(nbytes - self._begin) // self.slot))
        self._move(np.flatnonzero(self._owner[:first] != _FREE), first)
        self._first, self._front = first, nbytes
        return self._data[:nbytes]

    def makes_front(self, nbytes: int) -> bool:
        """Whether so many bytes in front can be free of slots."""
        first = max(0, -(-(nbytes - self._begin) // self.slot))
        return first + self._count <= len(self._owner) and nbytes <= self.nbytes

    @property
    def _free(self) -> int:
        return len(self._owner) - self._first - self._count

    def _move(self, slots: NDArray[np.int64], first: int) -> None:
        """Copy slots to free ones from `first` on."""
        if not len(slots):
            return
        free = np.flatnonzero(self._owner[first:] == _FREE)[-len(slots) :] + first
        source, target = (sent(torch.from_numpy(x), self._data.device) for x in (slots, free))
        self._slots[target] = self._slots[source]
        for old, new in zip(slots.tolist(), free.tolist(), strict=True):
            taken = self._taken[int(self._owner[old])]
            taken[taken == old] = new
        self._owner[free], self._owner[slots] = self._owner[slots], _FREE
