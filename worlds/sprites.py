"""The pictures that things are drawn with: one per look, at falling sizes for clean shrinking."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from worlds.artwork import CELL, pictures
from worlds.things import Look
from worlds.vocabulary import BOX, COLOURS, COVER, LAMP, SHAPES, SIGN

EXTENT: Final = 1.15  # radii from the centre of a sprite to its edge
LEVELS: Final = (CELL, CELL // 2, CELL // 4, CELL // 8)  # pixels per side
_FINE: Final = 4  # drawn so many times larger

Picture = NDArray[np.float32]  # [side, side, 4], RGB already multiplied by its cover, all in 0 to 1


@lru_cache(maxsize=2048)
def sprite(look: Look) -> tuple[Picture, ...]:
    """The picture of a look, one for each of `LEVELS`; not to be written to."""
    first = _drawn(look)
    smaller = [
        np.asarray(cv2.resize(first, (side, side), interpolation=cv2.INTER_AREA), np.float32)
        for side in LEVELS[1:]
    ]
    return (first, *smaller)


def level(diameter: float) -> int:
    """Which of `LEVELS` to draw a sprite of so many pixels from."""
    fitting = [number for number, side in enumerate(LEVELS) if side >= diameter]
    return fitting[-1] if fitting else 0


def _drawn(look: Look) -> Picture:
    if look.noun in SHAPES:
        return _shape(look)
    special = {SIGN: _sign, BOX: _box, LAMP: _lamp, COVER: _cover}.get(look.noun)
    if special is not None:
        return special(look)
    picture = np.asarray(pictures()[look.noun], np.float32) / np.float32(255)
    picture[..., :3] *= picture[..., 3:]
    return picture


def _shape(look: Look) -> Picture:
    shape, canvas = SHAPES[look.noun], _Canvas()
    if shape.hole:
        canvas.ring(0.95, shape.hole, COLOURS[look.colour])
    else:
        canvas.fill(shape.outline, COLOURS[look.colour])
    return canvas.done()


def _sign(look: Look) -> Picture:
    canvas = _Canvas()
    canvas.fill(_rectangle(1.1, 0.9), (40, 40, 45))
    canvas.fill(_rectangle(1.02, 0.82), COLOURS[look.colour])
    canvas.digits(look.state, 1.25, (15, 15, 20))
    return canvas.done()


def _box(look: Look) -> Picture:
    canvas = _Canvas()
    if look.state == "open":
        for side in (-1, 1):
            flap = np.array([(0.9, -0.1), (1.12, -0.75), (0.5, -0.55), (0.35, 0.0)])
            canvas.fill(flap * (side, 1), (226, 178, 116))
        canvas.fill(
            np.array([(-0.9, -0.15), (0.9, -0.15), (0.9, 1.0), (-0.9, 1.0)]), (176, 122, 66)
        )
        canvas.fill(
            np.array([(-0.78, -0.08), (0.78, -0.08), (0.6, 0.42), (-0.6, 0.42)]), (40, 26, 14)
        )
    else:
        canvas.fill(_rectangle(0.9, 0.9), (176, 122, 66))
        canvas.fill(
            np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, -0.55), (-1.0, -0.55)]), (214, 164, 102)
        )
        canvas.fill(_rectangle(0.16, 0.9), (236, 216, 170))
    return canvas.done()


def _lamp(look: Look) -> Picture:
    canvas = _Canvas()
    on = look.state == "on"
    if on:
        angles = np.arange(24) * np.pi / 12
        reach = np.where(np.arange(24) % 2 == 0, 1.1, 0.8)  # the longest stay within the sprite
        rays = np.stack([np.sin(angles), -np.cos(angles)], 1) * reach[:, None] * 0.88
        canvas.fill(_moved(rays, 0.0, -0.15), (255, 240, 150))
    canvas.disc(0.62, (0.0, -0.2), (255, 252, 225) if on else (88, 92, 100))
    canvas.disc(0.45, (0.0, -0.25), (255, 255, 250) if on else (60, 64, 72))
    canvas.fill(_moved(_rectangle(0.28, 0.28), 0.0, 0.68), (150, 150, 158))
    return canvas.done()


def _cover(look: Look) -> Picture:
    canvas = _Canvas()
    canvas.fill(_rectangle(1.1, 1.1), (92, 96, 104))
    for stripe in np.arange(-0.9, 1.0, 0.6):
        canvas.fill(_moved(_rectangle(0.1, 1.1), float(stripe), 0.0), (124, 128, 138))
    return canvas.done()


def _rectangle(half_width: float, half_height: float) -> NDArray[np.float64]:
    a, b = half_width, half_height
    return np.array([(-a, -b), (a, -b), (a, b), (-a, b)])


def _moved(outline: NDArray[np.float64], x: float, y: float) -> NDArray[np.float64]:
    return np.asarray(outline + np.array([x, y]), np.float64)


class _Canvas:
    """A sprite being drawn, in units of the radius around the centre, y down."""

    def __init__(self) -> None:
        side = CELL * _FINE
        self._scale = side / 2 / EXTENT
        self._rgb = np.zeros((side, side, 3), np.uint8)
        self._cover = np.zeros((side, side), np.uint8)

    def fill(self, outline: NDArray[np.float64], rgb: tuple[int, int, int]) -> None:
        """Fill a polygon."""
        points = [np.round((outline + EXTENT) * self._scale).astype(np.int32)]
        cv2.fillPoly(self._rgb, points, rgb)
        cv2.fillPoly(self._cover, points, (255,))

    def disc(self, radius: float, at: tuple[float, float], rgb: tuple[int, int, int]) -> None:
        """Fill a circle."""
        centre = tuple(round((v + EXTENT) * self._scale) for v in at)
        cv2.circle(self._rgb, centre, round(radius * self._scale), rgb, -1)
        cv2.circle(self._cover, centre, round(radius * self._scale), (255,), -1)

    def ring(self, outer: float, inner: float, rgb: tuple[int, int, int]) -> None:
        """Fill a circle that has a hole."""
        self.disc(outer, (0.0, 0.0), rgb)
        centre = (round(EXTENT * self._scale),) * 2
        cv2.circle(self._cover, centre, round(inner * self._scale), (0,), -1)

    def digits(self, text: str, height: float, rgb: tuple[int, int, int]) -> None:
        """Write centred digits of that height."""
        font, weight = cv2.FONT_HERSHEY_DUPLEX, 0.075
        thick = round(weight * 2 * self._scale * height)
        size = cv2.getFontScaleFromHeight(font, round(height * self._scale), thick)
        (wide, high), _ = cv2.getTextSize(text, font, size, thick)
        if wide > 1.86 * self._scale:  # two digits stay on the card
            size *= 1.86 * self._scale / wide
            (wide, high), _ = cv2.getTextSize(text, font, size, thick)
        left = round(EXTENT * self._scale - wide / 2)
        cv2.putText(
            self._rgb, text, (left, round(EXTENT * self._scale + high / 2)), font, size, rgb, thick
        )

    def done(self) -> Picture:
        """The sprite at full size."""
        both = np.dstack([self._rgb, self._cover]).astype(np.float32) / 255
        both[..., :3] *= both[..., 3:]
        return np.asarray(cv2.resize(both, (CELL, CELL), interpolation=cv2.INTER_AREA), np.float32)
