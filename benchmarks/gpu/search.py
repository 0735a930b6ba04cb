"""The largest number that something carries, found with few trials, each of which takes a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_CLOSE: Final = 16  # a part in so many may be missing to the largest


def largest(carries: Callable[[int], bool], guess: int, most: int, wanted: int) -> int:
    """The largest number that was tried and carried; 0: none.

    It is at most a sixteenth too small, except at `wanted`: whether that much is carried is tried
    itself wherever it is open at the end.

    Args:
        carries: tries a number; who carries one is taken to carry all below.
        guess: where to begin.
        most: that may be tried, at least 1.
        wanted: what the result is compared with.
    """
    low, high = 0, most + 1
    number = max(1, min(most, guess))
    while low < number < high:
        low, high = (number, high) if carries(number) else (low, number)
        number = min(2 * number, most) if high > most else (low + high) // 2
        if high <= most and high - low <= max(1, low // _CLOSE):
            number = wanted  # outside of what is open it is not tried
    return low
