"""Pictures of everyday objects (Noto Emoji) and real backgrounds, with their licences."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

_HERE: Final = Path(__file__).parent
ATLAS: Final = _HERE / "objects.png"
BACKGROUNDS: Final = _HERE / "backgrounds.jpg"
CELL: Final = 112  # pixels per side of one object's picture
COLUMNS: Final = 16  # pictures per row of the atlas
SCENE: Final = 192  # pixels per side of one background


@lru_cache(maxsize=1)
def objects() -> dict[str, str]:
    """Nouns and the icons that show them, in the order of the atlas."""
    lines = (_HERE / "objects.txt").read_text().splitlines()
    pairs = (line.split() for line in lines)
    return {noun: icon for noun, icon in pairs}


@lru_cache(maxsize=1)
def pictures() -> dict[str, NDArray[np.uint8]]:
    """Picture of every noun, RGBA, uint8 [112, 112, 4], not to be written to."""
    atlas = cv2.cvtColor(cv2.imread(str(ATLAS), cv2.IMREAD_UNCHANGED), cv2.COLOR_BGRA2RGBA)
    found = {}
    for number, noun in enumerate(objects()):
        row, column = divmod(number, COLUMNS)
        found[noun] = np.asarray(atlas[row * CELL :, column * CELL :][:CELL, :CELL], np.uint8)
    return found


@lru_cache(maxsize=1)
def backgrounds() -> NDArray[np.uint8]:
    """Real backgrounds, RGB, uint8 [n, 192, 192, 3], not to be written to."""
    strip = cv2.cvtColor(cv2.imread(str(BACKGROUNDS)), cv2.COLOR_BGR2RGB)
    return np.asarray(strip, np.uint8).reshape(-1, SCENE, SCENE, 3)
