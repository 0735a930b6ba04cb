"""How frames become patches where the model is.

On a CPU `patchify` does it, bit for bit as the stock processor. To a GPU the pictures cross as they
are, in bytes, and are resized there: in float32 and rounded, which differs from the exact filter,
computed in whole numbers, by one level of 255 in one value of a hundred at most. Those that were
decoded there (`core.frames.Surface`) do not cross at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from core.frames import Frame
from models.preprocess import check, cut, patchify
from models.surfaces import Surfaces

Cut = tuple[Tensor, Tensor]
"""Pixel values, float32 on any device, and the grid in patches, on the CPU."""


class Pictures(Protocol):
    """Resizes, normalises and cuts."""

    def __call__(
        self,
        frames: Sequence[Frame],
        size: tuple[int, int],
        *,
        patch: int,
        merge: int,
        temporal: int,
    ) -> Cut:
        """As `models.preprocess.patchify`, which is the reference."""


class HostPictures:
    """The exact way, on the CPU."""

    def __call__(
        self,
        frames: Sequence[Frame],
        size: tuple[int, int],
        *,
        patch: int,
        merge: int,
        temporal: int,
    ) -> Cut:
        """See `Pictures`.

        Raises:
            ValueError: as `patchify`.
        """
        pixels = [frame.pixels for frame in frames]
        return patchify(pixels, size, patch=patch, merge=merge, temporal=temporal)


class DevicePictures:
    """Hands frames over as bytes and does the rest on the device; waits for nothing.

    Args:
        device: where the model is.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._surfaces = Surfaces()

    def __call__(
        self,
        frames: Sequence[Frame],
        size: tuple[int, int],
        *,
        patch: int,
        merge: int,
        temporal: int,
    ) -> Cut:
        """See `Pictures`.

        Raises:
            ValueError: as `patchify`.
        """
        check(len(frames), size, patch * merge)
        x = self._on_the_device(frames).permute(0, 3, 1, 2).float()  # [n, 3, h, w]
        for target in ((x.shape[2], size[1]), size):  # bytes again after each, as the exact way
            if target != tuple(x.shape[-2:]):
                x = F.interpolate(x, target, mode="bicubic", antialias=True, align_corners=False)
                x = x.round_().clamp_(0, 255)
        return cut(x, patch=patch, merge=merge, temporal=temporal)

    def _on_the_device(self, frames: Sequence[Frame]) -> Tensor:  # uint8 [n, h, w, 3]
        there = [f.surface for f in frames if f.surface and f.surface.luma.device == self._device]
        if len(there) == len(frames):  # where frames waited long, some are on the host alone
            return self._surfaces.read(there)
        return self._hand_over([frame.pixels for frame in frames])

    def _hand_over(self, frames: Sequence[NDArray[np.uint8]]) -> Tensor:
        """All frames on the device, uint8 [n, h, w, 3].

        Pinned memory comes from torch's own pool, which reuses a buffer only when the copies that
        were queued from it are done: it may go out of scope while one is on its way.
        """
        pinned = self._device.type == "cuda"
        shape = (len(frames), *frames[0].shape)
        host = torch.empty(shape, dtype=torch.uint8, pin_memory=pinned)
        for place, frame in zip(host.numpy(), frames, strict=True):
            place[:] = frame
        return host.to(self._device, non_blocking=True)


def pictures_for(device: torch.device) -> Pictures:
    """What is exact on a CPU, and what is fast everywhere else."""
    return HostPictures() if device.type == "cpu" else DevicePictures(device)
