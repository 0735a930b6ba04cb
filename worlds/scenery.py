"""What is behind the things and between them and the eye: background, light, noise, compression."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from worlds.artwork import backgrounds

KINDS: Final = ("smooth", "texture", "tiles", "real")
_TILE: Final = 64  # the noise tile is this much larger than the picture, so that it can be shifted
_FINE: Final = 192  # pixels per side of a background before it is resized


class Scenery:
    """The look of one world apart from its things; everything follows from its seed.

    Args:
        seed: of the world.
        shares: how likely each of `KINDS` is.
    """

    def __init__(self, seed: int, shares: tuple[float, float, float, float]) -> None:
        rng = np.random.default_rng([seed, 0, 3])
        tint, level = rng.uniform(0.75, 1.25, 3), rng.uniform(28, 105)
        corners = level * tint * (1 + rng.uniform(0.0, 0.35) * rng.uniform(-1, 1, (2, 2, 1)))
        self._corners = np.clip(corners, 10, 130).astype(np.float32)
        self._drift = rng.uniform(0, 2 * np.pi, (2, 2, 1)).astype(np.float32)
        self._period = float(rng.uniform(25, 80))
        self.noise = float(rng.uniform(1.0, 6.0))  # standard deviation, in levels of 255
        self.jpeg = int(rng.integers(55, 93)) if rng.random() < 0.35 else 0  # quality; 0 is none
        self.kind = KINDS[int(rng.choice(len(KINDS), p=np.array(shares) / sum(shares)))]
        make = {"texture": _texture, "tiles": _tiles, "real": _plate}.get(self.kind)
        self._detail = make(rng) if make else None  # [192, 192, 3], around 1
        self._seed = seed
        self._details: dict[tuple[int, int], NDArray[np.float32]] = {}
        self._tiles: dict[tuple[int, int], NDArray[np.float32]] = {}

    def light(self, t: float) -> float:
        """Brightness of everything at time `t`, around 1."""
        return float(1 + 0.05 * np.sin(2 * np.pi * t / (1.7 * self._period)))

    def background(self, t: float, size: tuple[int, int]) -> NDArray[np.float32]:
        """What is behind the things, before light and noise: float32 [h, w, 3] in 0 to 255."""
        smooth = cv2.resize(self.corners(t), (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
        detail = self.detail(size)
        return np.asarray(smooth if detail is None else smooth * detail, np.float32)

    def corners(self, t: float) -> NDArray[np.float32]:
        """The slowly changing part of the background: its four corners, float32 [2, 2, 3]."""
        wave = 1 + 0.12 * np.sin(2 * np.pi * t / self._period + self._drift)
        colour = np.ones((2, 2, 3), np.float32) if self.kind == "real" else self._corners
        return np.asarray(colour * wave, np.float32)

    def detail(self, size: tuple[int, int]) -> NDArray[np.float32] | None:
        """The lasting part, which multiplies the other: float32 [h, w, 3]; None is all ones."""
        if self._detail is None:
            return None
        if size not in self._details:  # one size at a time: a camera does not change it
            self._details = {size: _resized(self._detail, size)}
        return self._details[size]

    def grain(self, t: float, size: tuple[int, int]) -> NDArray[np.float32]:
        """Sensor noise to be added at time `t`, float32 [h, w, 3]."""
        h, w = size
        tile = self._tiles.get(size)
        if tile is None:
            rng = np.random.default_rng([self._seed, 0, 4])
            drawn = rng.standard_normal((h + _TILE, w + _TILE, 3), dtype=np.float32)
            tile = drawn * np.float32(self.noise)
            self._tiles = {size: tile}
        top, left = np.random.default_rng([self._seed, int(t * 1000), 5]).integers(0, _TILE, 2)
        return tile[top : top + h, left : left + w]

    def develop(self, picture: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The finished picture: rounded, and with the artefacts of compression if there are any."""
        ready = rounded(picture)
        if not self.jpeg:
            return ready
        _, packed = cv2.imencode(".jpg", ready, [cv2.IMWRITE_JPEG_QUALITY, self.jpeg])
        return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)


def rounded(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The picture in whole levels of 0 to 255."""
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _resized(detail: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    how = cv2.INTER_AREA if size[0] < _FINE else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(detail, (size[1], size[0]), interpolation=how), np.float32)


def _texture(rng: Generator) -> NDArray[np.float32]:
    """Blotches of several sizes, like plaster or grass."""
    total = np.zeros((_FINE, _FINE, 1), np.float32)
    for cells in (6, 24, 96):
        rough = rng.standard_normal((cells, cells)).astype(np.float32)
        grown = cv2.resize(rough, (_FINE, _FINE), interpolation=cv2.INTER_CUBIC)
        total[..., 0] += grown * rng.uniform(0.2, 1.0)
    detail = np.clip(1 + rng.uniform(0.05, 0.16) * total, 0.4, 1.7)
    return np.ascontiguousarray(detail.repeat(3, axis=2), np.float32)


def _tiles(rng: Generator) -> NDArray[np.float32]:
    """Stripes or a chequered floor, at any angle."""
    angle, width = rng.uniform(0, np.pi), rng.uniform(14, 60)
    y, x = np.mgrid[:_FINE, :_FINE].astype(np.float32)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    pattern = np.floor(along / width) % 2
    if rng.random() < 0.5:
        pattern = (pattern + np.floor(across / width)) % 2
    edge = np.asarray(cv2.GaussianBlur(pattern.astype(np.float32), (0, 0), 1.0), np.float32)
    return (1 + rng.uniform(0.1, 0.35) * (edge - 0.5))[..., None].repeat(3, axis=2)


def _plate(rng: Generator) -> NDArray[np.float32]:
    """A piece of a real background, at any brightness up to which bright things still show."""
    plates = backgrounds()
    plate = plates[int(rng.integers(len(plates)))]
    side = int(rng.integers(_FINE // 2, _FINE + 1))
    top, left = rng.integers(0, _FINE - side + 1, 2)
    piece = plate[top : top + side, left : left + side].astype(np.float32)
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    piece = piece * (rng.uniform(45, 125) / max(piece.mean(), 1.0))
    return _resized(np.ascontiguousarray(np.clip(piece, 0, 200)), (_FINE, _FINE))
