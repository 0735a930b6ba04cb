"""An immutable view of a memory, and what it covers."""

from __future__ import annotations

from dataclasses import dataclass

from memory.block_table import Pin
from memory.view import View


@dataclass(frozen=True, slots=True, eq=False)
class Extent:
    """What a memory covered when it was looked at."""

    next_position: int  # rotary position of the token that would come next
    floor: int  # the first free position after the fixed beginning
    oldest_position: int  # the least of any step held; the next one if there is none
    t_start: float | None  # stream seconds of the oldest step, None when there is none
    t_end: float | None
    end: int = 0  # position after the newest step


class Snapshot:
    """An immutable view of a memory that one answer reads. Release it on the memory's thread.

    Args:
        view: of the pages that `pin` keeps as they are.
        extent: what it covers.
        pin: released with it.
    """

    def __init__(self, view: View, extent: Extent, pin: Pin) -> None:
        self.view = view
        self.extent = extent
        self._pin = pin

    def release(self) -> None:
        """Give back references and leased pages. Idempotent."""
        self._pin.release()
