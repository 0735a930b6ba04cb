"""Draws things on a background at any size; the same seed and time give the same pixels.

This is the exact renderer. `training.renderer` draws the same worlds on the GPU and is compared
with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from worlds.scenery import Scenery, rounded
from worlds.sprites import EXTENT, LEVELS, level, sprite
from worlds.things import Look, Thing

_REACH: Final = EXTENT * 1.42  # radii; a turned sprite's corner


@dataclass(frozen=True, slots=True)
class Stamp:
    """One sprite as it goes onto a picture; lengths in pixels of that picture."""

    look: Look
    x: float  # of the centre; 0 is the left edge of the first pixel
    y: float
    radius: float
    angle: float  # radians, clockwise
    mirrored: bool
    gain: tuple[float, float, float]  # what its colours are multiplied by


def stamps(things: Sequence[Thing], t: float, size: tuple[int, int]) -> list[Stamp]:
    """What is drawn at time `t`, in drawing order.

    Args:
        things: what exists then.
        t: seconds.
        size: height and width in pixels.
    """
    h, w = size
    found = []
    for thing in sorted(things, key=lambda one: one.layer):
        x, y = thing.at(t)
        shade = thing.born if thing.shade is None else thing.shade
        vary = np.random.default_rng(int(shade * 1000) & 0x7FFFFFFF).uniform(0.93, 1.07, 3)
        radius, gain = thing.radius(t) * min(h, w), (float(vary[0]), float(vary[1]), float(vary[2]))
        look = thing.look(t)
        found.append(Stamp(look, x * w, y * h, radius, thing.angle(t), thing.mirrored, gain))
    return found


class Painter:
    """Draws one world.

    Args:
        scenery: its background, light and noise.
        clean: leave out noise and compression, to compare renderers.
    """

    def __init__(self, scenery: Scenery, clean: bool = False) -> None:
        self.scenery, self._clean = scenery, clean

    def paint(self, things: Sequence[Thing], t: float, size: tuple[int, int]) -> NDArray[np.uint8]:
        """The picture of `things` at time `t`.

        Args:
            things: what exists now; later ones lie on top within a layer.
            t: seconds.
            size: height and width in pixels, at least 16 each.

        Returns:
            RGB, uint8 [h, w, 3].
        """
        canvas = self.scenery.background(t, size)
        for stamp in stamps(things, t, size):
            _press(canvas, stamp)
        lit = canvas * np.float32(self.scenery.light(t))
        if self._clean:
            return rounded(lit)
        return self.scenery.develop(lit + self.scenery.grain(t, size))


def _press(canvas: NDArray[np.float32], stamp: Stamp) -> None:
    """Lay one sprite over the canvas."""
    h, w = canvas.shape[:2]
    reach = stamp.radius * _REACH + 1
    left, right = max(0, math.floor(stamp.x - reach)), min(w, math.ceil(stamp.x + reach))
    top, bottom = max(0, math.floor(stamp.y - reach)), min(h, math.ceil(stamp.y + reach))
    if left >= right or top >= bottom:
        return
    diameter = 2 * stamp.radius * EXTENT
    chosen = level(diameter)
    picture, side = sprite(stamp.look)[chosen], LEVELS[chosen]
    scale = diameter / side
    cos, sin = math.cos(stamp.angle) * scale, math.sin(stamp.angle) * scale
    flip = -1.0 if stamp.mirrored else 1.0
    turn = np.array([[cos * flip, -sin], [sin * flip, cos]])
    middle = np.array([stamp.x - 0.5 - left, stamp.y - 0.5 - top])  # pixel centres are whole
    shift = middle - turn @ np.array([(side - 1) / 2, (side - 1) / 2])
    laid = cv2.warpAffine(
        picture,
        np.column_stack([turn, shift]),
        (right - left, bottom - top),
        flags=cv2.INTER_LINEAR,
    )
    part = canvas[top:bottom, left:right]
    part *= 1 - laid[..., 3:]
    part += laid[..., :3] * (255 * np.array(stamp.gain, np.float32))
