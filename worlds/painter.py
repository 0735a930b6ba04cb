"""Draws things on a background at any size; the same seed and time give the same pixels."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from worlds.script import Thing
from worlds.vocabulary import COLOURS, SHAPES

_SUBPIXEL = 4  # bits
_TILE = 64  # the noise tile is this much larger than the picture, so that it can be shifted


class Painter:
    """The look of one world: background, lighting, noise, and how colours vary."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng([seed, 0, 3])
        tint = rng.uniform(0.75, 1.25, 3)
        level = rng.uniform(28, 105)
        spread = rng.uniform(0.0, 0.35)
        corners = level * tint * (1 + spread * rng.uniform(-1, 1, (2, 2, 1)))
        self._corners = np.clip(corners, 10, 130)  # [2, 2, 3]
        self._drift = rng.uniform(0, 2 * np.pi, (2, 2, 1))
        self._period = rng.uniform(25, 80)
        self._noise_level = float(rng.uniform(1.0, 6.0))
        self._seed = seed
        self._tiles: dict[tuple[int, int], NDArray[np.int16]] = {}

    def paint(self, things: Sequence[Thing], t: float, size: tuple[int, int]) -> NDArray[np.uint8]:
        """The picture of `things` at time `t`, later ones on top.

        Args:
            things: what exists now.
            t: seconds.
            size: height and width in pixels, at least 16 each.

        Returns:
            RGB, uint8 [h, w, 3].
        """
        light = 1 + 0.05 * np.sin(2 * np.pi * t / (1.7 * self._period))
        canvas = self._background(t, light, size)
        for thing in things:
            _draw(canvas, thing, t, _rgb(thing, light))
        return self._with_noise(canvas, t)

    def _background(self, t: float, light: float, size: tuple[int, int]) -> NDArray[np.uint8]:
        wave = 1 + 0.12 * np.sin(2 * np.pi * t / self._period + self._drift)
        corners = np.clip(self._corners * wave * light, 0, 255).astype(np.float32)
        smooth = cv2.resize(corners, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
        return np.ascontiguousarray(smooth.astype(np.uint8))

    def _with_noise(self, canvas: NDArray[np.uint8], t: float) -> NDArray[np.uint8]:
        h, w = canvas.shape[:2]
        tile = self._tiles.get((h, w))
        if tile is None:
            rng = np.random.default_rng([self._seed, 0, 4])
            drawn = rng.standard_normal((h + _TILE, w + _TILE, 3), dtype=np.float32)
            tile = np.round(drawn * self._noise_level).astype(np.int16)
            self._tiles = {(h, w): tile}  # one size at a time: a camera does not change it
        shift = np.random.default_rng([self._seed, int(t * 1000), 5]).integers(0, _TILE, 2)
        top, left = int(shift[0]), int(shift[1])
        noise = tile[top : top + h, left : left + w]
        return np.asarray(cv2.add(canvas, noise, dtype=cv2.CV_8U), dtype=np.uint8)


def _rgb(thing: Thing, light: float) -> tuple[int, ...]:
    """The colour of a thing: its name's, slightly its own (from its birth), in this light."""
    vary = np.random.default_rng(int(thing.born * 1000) & 0x7FFFFFFF).uniform(-12, 12, 3)
    return tuple(int(v) for v in np.clip((np.array(COLOURS[thing.colour]) + vary) * light, 0, 255))


def _draw(canvas: NDArray[np.uint8], thing: Thing, t: float, rgb: tuple[int, ...]) -> None:
    h, w = canvas.shape[:2]
    x, y = thing.at(t)
    scale = thing.radius * min(h, w) * 2**_SUBPIXEL
    centre = np.array([x * w - 0.5, y * h - 0.5]) * 2**_SUBPIXEL
    shape = SHAPES[thing.shape]
    if shape.hole:
        outer = 0.95
        line = max(1, round((outer - shape.hole) * thing.radius * min(h, w)))
        spot = (int(centre[0]), int(centre[1]))
        radius = int(scale * (outer + shape.hole) / 2)
        cv2.circle(canvas, spot, radius, rgb, line, cv2.LINE_AA, _SUBPIXEL)
        return
    points = np.round(shape.outline * scale + centre).astype(np.int32)
    cv2.fillPoly(canvas, [points], rgb, cv2.LINE_AA, _SUBPIXEL)
