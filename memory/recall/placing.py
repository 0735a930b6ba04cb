"""Where thawed steps stand: between the sink and what the hot memory holds, in order, for ever.

A step's age is how many positions it lies before the hot memory. Young ages are kept as they are;
older ones are squeezed logarithmically into the room there is, so that positions stay within what a
model was trained on however old the archive is. Order is kept and steps never overlap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol


class Placed(Protocol):
    """What takes some positions."""

    @property
    def base(self) -> int:
        """The least of them."""

    @property
    def size(self) -> int:
        """How many."""


def place(steps: Sequence[Placed], floor: int, ceiling: int) -> list[int] | None:
    """The least position of each step within [floor, ceiling).

    Args:
        steps: oldest first; all lay before `ceiling` when they were seen.
        floor: first free position after the sink.
        ceiling: least position that the hot memory holds.

    Returns:
        as many as there are steps; None if they cannot fit one after the other.
    """
    if sum(step.size for step in steps) > ceiling - floor:
        return None
    room, exact = ceiling - floor, (ceiling - floor) // 2
    oldest = max((ceiling - step.base for step in steps), default=0)
    bases: list[int] = []
    end, needed = ceiling, sum(step.size for step in steps)
    for step in reversed(steps):
        needed -= step.size
        wanted = ceiling - squeezed(ceiling - step.base, exact, room, oldest)
        base = max(min(wanted, end - step.size), floor + needed)
        bases.append(base)
        end = base
    return bases[::-1]


def squeezed(age: int, exact: int, room: int, oldest: int) -> int:
    """An age within the room: itself up to `exact`, beyond it logarithmic, `oldest` at the end.

    Monotone; never larger than the age or the room.
    """
    if age <= exact or oldest <= room:
        return min(age, room)
    if exact < 1:
        return min(age, room)
    part = math.log(age / exact) / math.log(oldest / exact)
    return min(age, exact + round((room - exact) * part))
