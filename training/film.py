"""The pictures of a batch, drawn by the worker that made it or later on the device that learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from training.renderer import Renderer, Scene
from training.scenes import draw
from worlds.world import World


class Shot(NamedTuple):
    """One picture to be taken."""

    world: World
    t: float  # seconds
    large: bool  # drawn large and resized, where it is drawn by the worker


@dataclass(frozen=True, slots=True)
class Film:
    """Pictures of one size, as pixels or as scenes that are still to be drawn."""

    size: int  # pixels per side
    pixels: Tensor | None  # uint8 [n, size, size, 3]
    scenes: tuple[Scene, ...] = ()

    @classmethod
    def of(cls, shots: Sequence[Shot], size: int, deferred: bool) -> Film:
        """The pictures of `shots`; deferred ones are drawn by the device that learns."""
        if deferred:
            scenes = (Scene.of(shot.world, shot.t, (size, size)) for shot in shots)
            return cls(size, None, tuple(scenes))
        drawn = [torch.from_numpy(draw(s.world, s.t, size, s.large)) for s in shots]
        return cls(size, torch.stack(drawn))


class Darkroom:
    """Turns films into pixels on one device.

    Args:
        device: where to.
        seed: of the sensor noise of pictures that are drawn there.
    """

    def __init__(self, device: torch.device, seed: int) -> None:
        self.device = device
        self.draws = device.type != "cpu"  # there, the exact renderer of the workers is as fast
        self._renderer = Renderer(device)
        self._noise = torch.Generator(device).manual_seed(seed)

    def develop(self, film: Film) -> Tensor:
        """The pictures, uint8 [n, size, size, 3] on the device."""
        if film.pixels is not None:
            return film.pixels.to(self.device, non_blocking=True)
        return self._renderer.draw(film.scenes, (film.size, film.size), self._noise)


def moved(batch: Any, device: torch.device) -> Any:
    """The same batch with its tensors on `device`; scenes stay where they are."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, tuple) and not hasattr(batch, "_fields"):
        return tuple(moved(part, device) for part in batch)
    if is_dataclass(batch) and not isinstance(batch, (type, Film)):
        parts = {f.name: moved(getattr(batch, f.name), device) for f in fields(batch)}
        return replace(batch, **parts)
    return batch
