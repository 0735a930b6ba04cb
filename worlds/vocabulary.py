"""The closed vocabulary of the rendered worlds: colours, shapes, objects, headings and places."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, sin
from typing import Final

import numpy as np
from numpy.typing import NDArray

from worlds.artwork import objects

COLOURS: Final[dict[str, tuple[int, int, int]]] = {
    "red": (222, 40, 40),
    "orange": (246, 140, 20),
    "yellow": (246, 226, 50),
    "green": (40, 170, 60),
    "blue": (40, 90, 235),
    "purple": (140, 50, 190),
    "pink": (250, 140, 200),
    "white": (245, 245, 245),
}

HEADINGS: Final[dict[str, tuple[int, int]]] = {
    "left": (-1, 0),
    "right": (1, 0),
    "up": (0, -1),
    "down": (0, 1),
    "up left": (-1, -1),
    "up right": (1, -1),
    "down left": (-1, 1),
    "down right": (1, 1),
}
MOTIONS: Final = ("still", *HEADINGS, "in a circle", "closer", "away", "around")

HAND: Final = "hand"
COVER: Final = "cover"
HELPERS: Final = (HAND, COVER)  # they act on things and are none themselves
SIGN, BOX, LAMP = "sign", "box", "lamp"
STATEFUL: Final = (SIGN, BOX, LAMP)
OBJECTS: Final = tuple(noun for noun in objects() if noun not in HELPERS)

PLACES: Final[tuple[tuple[str, str, str], ...]] = (
    ("top left", "top", "top right"),
    ("left", "center", "right"),
    ("bottom left", "bottom", "bottom right"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A filled outline in a box from -1 to 1, or a ring when `hole` is positive."""

    name: str
    outline: NDArray[np.float64]  # [n, 2] x to the right, y down
    inside: tuple[float, float]  # a point that is certainly painted
    hole: float = 0.0  # inner radius; only for the ring


def _polar(angles: NDArray[np.float64], radii: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([radii * np.sin(angles), -radii * np.cos(angles)], axis=1)


def _disc() -> NDArray[np.float64]:
    angles = np.linspace(0, 2 * pi, 40, endpoint=False)
    return _polar(angles, np.full(40, 0.95))


def _star() -> NDArray[np.float64]:
    angles = np.arange(10) * pi / 5
    return _polar(angles, np.where(np.arange(10) % 2 == 0, 1.1, 0.46))


def _heart() -> NDArray[np.float64]:
    points = []
    for angle in np.linspace(0, 2 * pi, 40, endpoint=False):
        x = 16 * sin(angle) ** 3
        y = 13 * cos(angle) - 5 * cos(2 * angle) - 2 * cos(3 * angle) - cos(4 * angle)
        points.append((x / 16, -(y + 2.5) / 15))
    return np.array(points)


def _cross() -> NDArray[np.float64]:
    a, b = 0.36, 1.0
    corners = [(-a, -b), (a, -b), (a, -a), (b, -a), (b, a), (a, a)]
    return np.array(corners + [(-x, -y) for x, y in corners])


def _square() -> NDArray[np.float64]:
    return np.array([(-0.84, -0.84), (0.84, -0.84), (0.84, 0.84), (-0.84, 0.84)])


def _diamond() -> NDArray[np.float64]:
    return np.array([(0.0, -1.1), (0.82, 0.0), (0.0, 1.1), (-0.82, 0.0)])


def _triangle() -> NDArray[np.float64]:
    return np.array([(0.0, -1.0), (1.02, 0.85), (-1.02, 0.85)])


def _hexagon() -> NDArray[np.float64]:
    angles = np.arange(6) * pi / 3
    return _polar(angles, np.full(6, 1.0))


def _arrow() -> NDArray[np.float64]:
    right = [(0.9, -0.05), (0.34, -0.05), (0.34, 1.0)]
    return np.array([(0.0, -1.05), *right, *[(-x, y) for x, y in reversed(right)]])


def _drop() -> NDArray[np.float64]:
    angles = np.linspace(-0.75 * pi, 0.75 * pi, 30)
    round_part = _polar(angles + pi, np.full(30, 0.68)) + np.array([0.0, 0.35])
    return np.concatenate([[(0.0, -1.1)], round_part])


def _bolt() -> NDArray[np.float64]:
    half = [(0.3, -1.1), (-0.62, 0.18), (-0.06, 0.18)]
    return np.array([*half, *[(-x, -y) for x, y in half]])


SHAPES: Final[dict[str, Shape]] = {
    shape.name: shape
    for shape in (
        Shape("circle", _disc(), (0.0, 0.0)),
        Shape("square", _square(), (0.0, 0.0)),
        Shape("triangle", _triangle(), (0.0, 0.3)),
        Shape("diamond", _diamond(), (0.0, 0.0)),
        Shape("star", _star(), (0.0, 0.0)),
        Shape("cross", _cross(), (0.0, 0.0)),
        Shape("heart", _heart(), (0.0, 0.0)),
        Shape("ring", _disc(), (0.0, 0.73), hole=0.5),
        Shape("hexagon", _hexagon(), (0.0, 0.0)),
        Shape("arrow", _arrow(), (0.0, 0.0)),
        Shape("drop", _drop(), (0.0, 0.3)),
        Shape("bolt", _bolt(), (0.0, 0.0)),
    )
}


def place(x: float, y: float) -> str:
    """The name of the ninth of the picture that holds (x, y), both in [0, 1]."""
    return PLACES[min(2, int(3 * y))][min(2, int(3 * x))]


def held_out(noun: str, partner: str) -> bool:
    """Whether this pair is never trained on: a shape and its colour, or an object and its motion.

    Seven in twenty of the pairs of the last four shapes, three in twenty of those of objects.
    """
    place = sum(map(ord, noun)) * 7 + sum(map(ord, partner)) * 3
    if noun in SHAPES:
        return partner in COLOURS and noun in list(SHAPES)[8:] and place % 20 < 7
    return noun in OBJECTS and partner in HEADINGS and place % 20 < 3
