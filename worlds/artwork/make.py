"""Makes the pictures of objects and backgrounds from their sources; run once, when a list changes.

    npm pack @iconify-json/noto@1.2.9 && tar xzf iconify-json-noto-1.2.9.tgz
    pip install resvg-py
    python -m worlds.artwork.make package/icons.json intel-previews-reel.mp4

The list of nouns and of the icons that show them is `objects.txt`; so is their order in the atlas.
Backgrounds are clean plates: the median of a scene over time, in which nobody is left.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np

from worlds.artwork import ATLAS, BACKGROUNDS, CELL, COLUMNS, SCENE, objects

_DRAWN: Final = 256  # pixels per side before it is made smaller
# Of the reel: start and end in seconds, then left, top and side of a square, in 480x270 pixels.
_PLATES: Final = (
    (0.0, 1.2, 10, 0, 200),  # factory hall
    (3.6, 4.6, 270, 10, 200),
    (4.9, 8.0, 200, 70, 200),  # parking lot
    (4.9, 8.0, 0, 120, 150),
    (8.3, 12.5, 0, 60, 210),  # shop aisle
    (12.8, 19.2, 0, 0, 270),  # conveyor belt
    (12.8, 19.2, 200, 60, 210),
    (19.6, 22.3, 0, 0, 130),  # classroom wall
    (22.6, 25.2, 0, 0, 180),  # corridor
    (22.6, 25.2, 340, 0, 140),
    (33.6, 35.2, 60, 0, 270),  # empty room
    (33.6, 35.2, 210, 0, 270),
)


def main(icons: Path, reel: Path) -> None:
    """Write both picture files."""
    draw_objects(icons)
    cut_backgrounds(reel)


def cut_backgrounds(reel: Path) -> None:
    """Median over time of every plate, one above the other."""
    with av.open(str(reel)) as container:
        frames = [(f.time, f.to_ndarray(format="bgr24")) for f in container.decode(video=0)]
    plates = []
    for start, end, left, top, side in _PLATES:
        shown = [picture for t, picture in frames if start <= t <= end]
        clean = np.median(np.stack(shown), axis=0).astype(np.uint8)
        square = clean[top : top + side, left : left + side]
        plates.append(cv2.resize(square, (SCENE, SCENE), interpolation=cv2.INTER_AREA))
    cv2.imwrite(str(BACKGROUNDS), np.concatenate(plates), [cv2.IMWRITE_JPEG_QUALITY, 92])


def draw_objects(icons: Path) -> None:
    """Draw every object of the list into the atlas."""
    import resvg_py  # type: ignore[import-not-found]

    listed = json.loads(icons.read_text())
    wanted = objects()
    rows = -(-len(wanted) // COLUMNS)
    atlas = np.zeros((rows * CELL, COLUMNS * CELL, 4), np.uint8)
    for number, icon in enumerate(wanted.values()):
        width, height = (listed["icons"][icon].get(k, listed[k]) for k in ("width", "height"))
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="0 0 {width} {height}">{listed["icons"][icon]["body"]}</svg>'
        )
        png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=_DRAWN, height=_DRAWN))
        decoded = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
        drawn = np.asarray(decoded, np.float32)
        drawn[..., :3] *= drawn[..., 3:] / 255  # averaged with its cover, so that no fringe shows
        small = cv2.resize(drawn, (CELL, CELL), interpolation=cv2.INTER_AREA)
        small[..., :3] /= np.maximum(small[..., 3:], 1) / 255
        row, column = divmod(number, COLUMNS)
        cell = np.clip(np.round(small), 0, 255).astype(np.uint8)
        atlas[row * CELL :, column * CELL :][:CELL, :CELL] = cell
    cv2.imwrite(str(ATLAS), atlas, [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
