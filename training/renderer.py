"""Draws pictures of many worlds at once, on any device, as `worlds.painter` draws them one by one.

What differs from the exact renderer: sensor noise has the same spread but other values, pictures
are not compressed, and sums are rounded elsewhere, which now and then moves a value by one level.
Where a sprite lies in the atlas takes part in that rounding, and so what was drawn before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from training.atlas import Atlas
from worlds.painter import Stamp, stamps
from worlds.scenery import Scenery
from worlds.sprites import EXTENT, LEVELS, level
from worlds.world import World

_AT_ONCE: Final = 2**21  # pixels; bounds the memory that drawing needs to about 150 MB


@dataclass(frozen=True, slots=True)
class Scene:
    """What one picture shows."""

    scenery: Scenery
    stamps: Sequence[Stamp]  # in drawing order, made for the size at which it is drawn
    t: float  # seconds

    @classmethod
    def of(cls, world: World, t: float, size: tuple[int, int]) -> Scene:
        """What `world` shows at time `t` in a picture of that height and width."""
        return cls(world.painter.scenery, stamps(world.things(t), t, size), t)


class Renderer:
    """Draws scenes on one device; keeps there the sprites and backgrounds that it has drawn.

    A background's smooth part changes with time and is made on the device from its four corners.
    Its detail does not: it is made once per world and size by the exact renderer and uploaded, for
    as long as its scenery lives. That costs a world one small upload, and there is one truth about
    how details look.

    Not safe for use by two threads at once.

    Args:
        device: where to draw.
        looks: sprites to keep there; see `Atlas`.
    """

    def __init__(self, device: torch.device | str = "cpu", looks: int = 1024) -> None:
        self.device = torch.device(device)
        self._atlas = Atlas(self.device, looks)
        self._details: WeakKeyDictionary[Scenery, dict[tuple[int, int], Tensor]]
        self._details = WeakKeyDictionary()

    @torch.no_grad()
    def draw(
        self,
        scenes: Sequence[Scene],
        size: tuple[int, int],
        noise: torch.Generator | None = None,
    ) -> Tensor:
        """The pictures of `scenes`.

        Args:
            scenes: what to draw, with stamps made for `size`.
            size: height and width in pixels, at least 16 each.
            noise: where each world's sensor noise is drawn from, a generator of this device;
                without one there is none.

        Returns:
            RGB, uint8 [n, h, w, 3] on the device, in the order of the scenes.
        """
        # Most stamps first: the pictures with a k-th stamp are then the first rows of a batch.
        order = sorted(range(len(scenes)), key=lambda number: -len(scenes[number].stamps))
        drawn = torch.empty(len(scenes), *size, 3, dtype=torch.uint8, device=self.device)
        step = max(1, _AT_ONCE // (size[0] * size[1]))
        for start in range(0, len(order), step):
            rows = order[start : start + step]
            some = self._some([scenes[number] for number in rows], size, noise)
            drawn[self._indices(rows)] = some
        return drawn

    def _some(
        self, scenes: list[Scene], size: tuple[int, int], noise: torch.Generator | None
    ) -> Tensor:
        """Scenes in falling order of their number of stamps, uint8 [n, h, w, 3]."""
        canvas = self._backgrounds(scenes, size)
        self._press(canvas, scenes)
        canvas *= self._column([scene.scenery.light(scene.t) for scene in scenes])
        if noise is not None:
            grain = torch.randn(canvas.shape, generator=noise, device=self.device)
            canvas += grain * self._column([scene.scenery.noise for scene in scenes])
        return canvas.round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1)

    def _backgrounds(self, scenes: list[Scene], size: tuple[int, int]) -> Tensor:
        """What is behind the things, float32 [n, 3, h, w]."""
        corners = torch.from_numpy(np.stack([one.scenery.corners(one.t) for one in scenes]))
        smooth = corners.to(self.device).permute(0, 3, 1, 2).contiguous()
        canvas = F.interpolate(smooth, size=size, mode="bilinear", align_corners=False)
        details = {one.scenery: self._detail(one.scenery, size) for one in scenes}
        uploaded = [detail for detail in details.values() if detail is not None]
        if uploaded:
            known = [scenery for scenery, detail in details.items() if detail is not None]
            number = {scenery: n for n, scenery in enumerate(known)}
            rows = [row for row, one in enumerate(scenes) if one.scenery in number]
            which = [number[scenes[row].scenery] for row in rows]
            canvas[self._indices(rows)] *= torch.stack(uploaded)[self._indices(which)]
        return canvas

    def _detail(self, scenery: Scenery, size: tuple[int, int]) -> Tensor | None:
        """What the smooth part is multiplied with, float32 [3, h, w]."""
        sizes = self._details.setdefault(scenery, {})
        if size not in sizes:
            detail = scenery.detail(size)
            if detail is None:
                return None
            sizes[size] = torch.from_numpy(detail).permute(2, 0, 1).contiguous().to(self.device)
        return sizes[size]

    def _press(self, canvas: Tensor, scenes: list[Scene]) -> None:
        """Lay the k-th sprites of all pictures over the canvas, for every k.

        Whole pictures are sampled, not the tiles around the sprites: the many empty samples are
        cheap beside gathering and scattering tiles of all sizes.
        """
        most = len(scenes[0].stamps)
        layers = [[one.stamps[k] for one in scenes if len(one.stamps) > k] for k in range(most)]
        every = [stamp for layer in layers for stamp in layer]
        if not every:
            return
        self._atlas.admit(stamp.look for stamp in every)
        table = torch.from_numpy(_table(every, self._atlas)).to(self.device)
        for rows in torch.split(table, [len(layer) for layer in layers]):
            laid = _sampled(self._atlas.picture, rows, (canvas.shape[2], canvas.shape[3]))
            part = canvas[: len(rows)]
            part *= 1 - laid[:, 3:]
            part += laid[:, :3] * rows[:, 9:, None, None]

    def _column(self, values: list[float]) -> Tensor:
        """One number per picture, [n, 1, 1, 1]."""
        return torch.tensor(values, dtype=torch.float32, device=self.device)[:, None, None, None]

    def _indices(self, values: list[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.int64, device=self.device)


def _table(every: list[Stamp], atlas: Atlas) -> NDArray[np.float32]:
    """What `_sampled` needs to know of each stamp, [n, 12].

    Columns: the six numbers that take a pixel to the sprite's texel, column and row of its first
    texel in the atlas, its side, and what its three colours are multiplied with.
    """
    chosen = [level(2 * stamp.radius * EXTENT) for stamp in every]
    side = np.array([LEVELS[number] for number in chosen], float)
    texels = side / (2 * EXTENT * np.array([stamp.radius for stamp in every]))  # per pixel
    angle = np.array([stamp.angle for stamp in every])
    cos, sin = np.cos(angle) * texels, np.sin(angle) * texels
    flip = np.array([-1.0 if stamp.mirrored else 1.0 for stamp in every])
    x, y = np.array([(stamp.x - 0.5, stamp.y - 0.5) for stamp in every]).T  # centres are whole
    middle = (side - 1) / 2
    to_u, to_v = (flip * cos, flip * sin), (-sin, cos)
    columns = [
        *(*to_u, middle - to_u[0] * x - to_u[1] * y),
        *(*to_v, middle - to_v[0] * x - to_v[1] * y),
        *np.array([atlas.place(s.look, n) for s, n in zip(every, chosen, strict=True)]).T,
        side,
        *(255 * np.array([stamp.gain for stamp in every])).T,
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def _sampled(
    atlas: Tensor,  # [1, 4, height, width]
    rows: Tensor,  # [n, 12], of `_table`
    size: tuple[int, int],
) -> Tensor:
    """One sprite per picture, drawn on nothing: [n, 4, h, w]."""
    y = torch.arange(size[0], dtype=torch.float32, device=rows.device)[:, None]
    x = torch.arange(size[1], dtype=torch.float32, device=rows.device)
    a, b, c, d, e, f, left, top, side = (column[:, None, None] for column in rows.T[:9])
    # Beyond a sprite lies its clear border, one texel wide.
    u = torch.minimum((a * x + b * y + c).clamp_(min=-1), side) + left  # [n, h, w]
    v = torch.minimum((d * x + e * y + f).clamp_(min=-1), side) + top
    height, width = atlas.shape[2:]
    at = torch.stack([(2 * u + 1) / width - 1, (2 * v + 1) / height - 1], dim=-1)
    shared = atlas.expand(len(rows), -1, -1, -1)  # no copies; one row per picture for the threads
    return F.grid_sample(shared, at, mode="bilinear", padding_mode="zeros", align_corners=False)
