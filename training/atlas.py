"""All sprites side by side in one picture on a device, so that one call samples from any of them.

A look is uploaded once, at all of its levels. Each level has a clear border of one texel: a sample
taken there is empty, so whatever lies outside a sprite is read from its border.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from worlds.sprites import LEVELS, sprite
from worlds.things import Look

_COLUMNS: Final = 16  # looks side by side
_HIGH: Final = LEVELS[0] + 2  # texels of a look's cell
_WIDE: Final = _HIGH + LEVELS[1] + 2
_FIRST_ROWS: Final = 2


def _corners() -> tuple[tuple[int, int], ...]:
    """Left and top of each level in a cell: the largest left, the others under each other."""
    tops = np.cumsum([0, *(side + 2 for side in LEVELS[1:-1])])
    return ((1, 1), *((_HIGH + 1, int(top) + 1) for top in tops))


_CORNERS: Final = _corners()


class Atlas:
    """The sprites of the looks that were asked for.

    Args:
        device: where the picture lies.
        capacity: looks to keep; when there would be more, all are forgotten but those asked for
            now, however many these are. A thousand take about 320 MB.
    """

    def __init__(self, device: torch.device, capacity: int) -> None:
        self._capacity = capacity
        self._cells: dict[Look, int] = {}
        # [1, 4, height, width], RGB already multiplied by its cover, 0 to 1
        self.picture = torch.zeros(1, 4, _FIRST_ROWS * _HIGH, _COLUMNS * _WIDE, device=device)

    def admit(self, looks: Iterable[Look]) -> None:
        """Upload those that are not there yet; `picture` may be another tensor afterwards."""
        wanted = dict.fromkeys(looks)
        missing = [look for look in wanted if look not in self._cells]
        if len(self._cells) + len(missing) > self._capacity:
            self._cells.clear()
            missing = list(wanted)
        self._grow(len(self._cells) + len(missing))
        for look in missing:
            self._cells[look] = number = len(self._cells)
            top, left = self._corner(number)
            cell = torch.from_numpy(_cell(look)).permute(2, 0, 1)
            self.picture[0, :, top : top + _HIGH, left : left + _WIDE] = cell.to(self.picture)

    def place(self, look: Look, level: int) -> tuple[int, int]:
        """Column and row of the first texel of an admitted look at one of `LEVELS`."""
        top, left = self._corner(self._cells[look])
        return left + _CORNERS[level][0], top + _CORNERS[level][1]

    def _corner(self, number: int) -> tuple[int, int]:
        row, column = divmod(number, _COLUMNS)
        return row * _HIGH, column * _WIDE

    def _grow(self, looks: int) -> None:
        rows = self.picture.shape[2] // _HIGH
        needed = -(-looks // _COLUMNS)
        if needed > rows:
            more = (max(needed, 2 * rows) - rows) * _HIGH
            space = self.picture.new_zeros(1, 4, more, self.picture.shape[3])
            self.picture = torch.cat([self.picture, space], dim=2)


def _cell(look: Look) -> NDArray[np.float32]:
    """All levels of one look, [_HIGH, _WIDE, 4]."""
    cell = np.zeros((_HIGH, _WIDE, 4), np.float32)
    for picture, side, (left, top) in zip(sprite(look), LEVELS, _CORNERS, strict=True):
        cell[top : top + side, left : left + side] = picture
    return cell
