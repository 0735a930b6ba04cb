"""What may be watched of a stretch: all of it, or as much as a model that sees no motion gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from worlds.twins import Stretch


class Film(Protocol):
    """Anything that is drawn at a time."""

    def frame(self, t: float, size: tuple[int, int]) -> NDArray[np.uint8]:
        """The picture at time `t`: RGB, uint8 [h, w, 3]."""


View = Callable[[Stretch], Film]


def whole(shown: Stretch) -> Film:
    """All of it."""
    return shown


@dataclass(frozen=True)
class Blank:
    """Black pictures, as many as there are of the stretch."""

    shown: Stretch

    def frame(self, t: float, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Black, uint8 [h, w, 3]."""
        return np.zeros((*size, 3), np.uint8)


class Middle:
    """The picture in the middle of the stretch, all the time.

    Args:
        shown: the stretch.
    """

    def __init__(self, shown: Stretch) -> None:
        self._shown = shown
        self._drawn: dict[tuple[int, int], NDArray[np.uint8]] = {}

    def frame(self, t: float, size: tuple[int, int]) -> NDArray[np.uint8]:
        """The same picture at any time, uint8 [h, w, 3]."""
        if size not in self._drawn:
            self._drawn = {size: self._shown.frame(self._shown.last / 2, size)}
        return self._drawn[size]
