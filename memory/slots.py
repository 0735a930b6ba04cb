"""What is known of every slot of a memory: columns, one row per slot."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray


@dataclass(slots=True)
class SlotTable:
    """Columns of equal length, one row per token."""

    positions: NDArray[np.int64]  # [n, 3] rotary (t, h, w)
    group: NDArray[np.int64]  # [n] running number of the temporal step, -1 for the sink
    time: NDArray[np.float64]  # [n] stream seconds of the step, NaN for the sink

    def __len__(self) -> int:
        return len(self.group)

    @staticmethod
    def empty() -> SlotTable:
        """No rows."""
        return SlotTable(np.empty((0, 3), np.int64), np.empty(0, np.int64), np.empty(0, np.float64))

    def rows(self, chosen: NDArray[np.int64]) -> SlotTable:
        """The chosen rows, copied."""
        return SlotTable(*(getattr(self, f.name)[chosen] for f in fields(self)))

    def put(self, places: NDArray[np.int64], rows: SlotTable) -> None:
        """Overwrite the rows at `places`."""
        for f in fields(self):
            getattr(self, f.name)[places] = getattr(rows, f.name)

    def joined(self, other: SlotTable) -> SlotTable:
        """These rows, then the other's."""
        return SlotTable(
            *(np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self))
        )
