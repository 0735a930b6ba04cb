"""Which KV entries a full memory gives up."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from memory.slots import SlotTable

SINK = -1


class EvictionPolicy(ABC):
    """Chooses entries to evict; holds nothing about any camera."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    @abstractmethod
    def evict(self, slots: SlotTable, capacity: int) -> NDArray[np.int64]:
        """Rows to give up so that at most `capacity` remain, increasing; never the sink.

        Args:
            slots: what is held, then what is about to be added, oldest first among the latter.
            capacity: tokens, at least those of the sink.
        """


@dataclass(frozen=True)
class SinkWindow(EvictionPolicy):
    """Keeps the sink and the most recent temporal steps (StreamingLLM, arXiv 2309.17453).

    Steps go whole: half a step under a timestamp of its own would be read as an emptier picture.
    When the newest step alone does not fit, its first tokens go.
    """

    method: Literal["sink_window"] = "sink_window"

    def evict(self, slots: SlotTable, capacity: int) -> NDArray[np.int64]:
        """See `EvictionPolicy.evict`."""
        excess = len(slots) - capacity
        if excess <= 0:
            return np.empty(0, np.int64)
        groups, sizes = np.unique(slots.group[slots.group != SINK], return_counts=True)
        freed = np.cumsum(sizes)
        whole = min(int(np.searchsorted(freed, excess)) + 1, len(groups) - 1)
        gone = np.isin(slots.group, groups[:whole])
        missing = excess - int(gone.sum())
        if missing > 0:
            newest = np.flatnonzero(slots.group == groups[-1])
            gone[newest[:missing]] = True
        return np.flatnonzero(gone).astype(np.int64)
