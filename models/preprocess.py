"""Frames to the pixel values a Qwen-VL vision tower takes, without torchvision.

Bit-exact with `Qwen3VLVideoProcessor` of transformers for a given target size. The target size is
ours: the stock rule spreads one pixel budget over a whole video, which would make the visual tokens
per second depend on how a stream is cut into segments, so `fit_size` bounds each picture alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

MAX_ASPECT_RATIO = 200


def fit_size(
    height: int, width: int, *, factor: int, min_pixels: int, max_pixels: int
) -> tuple[int, int]:
    """The size a picture is resized to: multiples of `factor`, aspect nearly kept.

    Never more than `max_pixels`; `min_pixels` where rounding leaves room for both.

    Raises:
        ValueError: if a side is not positive, the aspect ratio exceeds 200, or `max_pixels` does
            not hold one cell of `factor` x `factor`.
    """
    if height < 1 or width < 1:
        raise ValueError(f"a picture of {width}x{height} pixels has no content")
    if max(height, width) / min(height, width) > MAX_ASPECT_RATIO:
        raise ValueError(f"aspect ratio of {width}x{height} exceeds {MAX_ASPECT_RATIO}")
    if max_pixels < factor**2:
        raise ValueError(f"max_pixels {max_pixels} holds no cell of {factor}x{factor} pixels")
    rows, columns = (max(factor, round(side / factor) * factor) for side in (height, width))
    if rows * columns > max_pixels:
        shrink = math.sqrt(height * width / max_pixels)
        rows, columns = (
            max(factor, math.floor(side / shrink / factor) * factor) for side in (height, width)
        )
    elif rows * columns < min_pixels:
        grow = math.sqrt(min_pixels / (height * width))
        rows, columns = (math.ceil(side * grow / factor) * factor for side in (height, width))
    # Rounding up, and strips one cell high, may exceed the upper bound: the longer side gives way.
    if rows > columns:
        rows = min(rows, max_pixels // (columns * factor) * factor)
    else:
        columns = min(columns, max_pixels // (rows * factor) * factor)
    return rows, columns


def patchify(
    frames: NDArray[np.uint8] | Sequence[NDArray[np.uint8]],  # n x [h, w, 3]
    size: tuple[int, int],
    *,
    patch: int = 16,
    merge: int = 2,
    temporal: int = 2,
) -> tuple[Tensor, Tensor]:
    """Resize, normalise to [-1, 1] and cut into patches in the order the vision tower expects.

    The last frame is repeated until the number of frames is a multiple of `temporal`. Patches of
    one temporal step stand in blocks of merge x merge, not in raster order.

    Args:
        frames: RGB pictures of one size.
        size: target rows and columns in pixels, multiples of patch * merge.
        patch: side of a patch in pixels.
        merge: patches per side that become one visual token.
        temporal: frames per temporal step.

    Returns:
        pixel values, float32 [t * gh * gw, 3 * temporal * patch * patch], and the grid in patches,
        int64 [1, 3] holding (t, gh, gw).

    Raises:
        ValueError: if `size` is not a multiple of patch * merge or there is no frame.
    """
    check(len(frames), size, patch * merge)
    x = torch.from_numpy(np.stack(list(frames))).permute(0, 3, 1, 2)  # [n, 3, h, w]
    if size != tuple(x.shape[-2:]):
        # On uint8, as the stock processor does: torch rounds and clamps after the bicubic filter.
        x = F.interpolate(x, size=size, mode="bicubic", antialias=True, align_corners=False)
    return cut(x.float(), patch=patch, merge=merge, temporal=temporal)


def check(frames: int, size: tuple[int, int], cell: int) -> None:
    """Refuse what cannot be cut.

    Args:
        frames: how many.
        size: target rows and columns in pixels.
        cell: pixels per side of a visual token.

    Raises:
        ValueError: saying why.
    """
    if size[0] % cell or size[1] % cell:
        raise ValueError(f"size {size} is not a multiple of {cell}")
    if frames == 0:
        raise ValueError("no frame to cut")


def cut(x: Tensor, *, patch: int, merge: int, temporal: int) -> tuple[Tensor, Tensor]:
    """Normalise pictures of the right size and cut them; see `patchify`, which does more.

    Args:
        x: RGB in 0 to 255, float32 [n, 3, rows, columns], on any device.
        patch: side of a patch in pixels.
        merge: patches per side that become one visual token.
        temporal: frames per temporal step.

    Returns:
        as `patchify`; the values are where `x` is, the grid on the CPU.
    """
    x = (x - 127.5) / 127.5
    if missing := -len(x) % temporal:
        x = torch.cat([x, x[-1:].expand(missing, -1, -1, -1)])
    t, gh, gw = len(x) // temporal, x.shape[2] // patch, x.shape[3] // patch
    x = x.reshape(t, temporal, 3, gh // merge, merge, patch, gw // merge, merge, patch)
    x = x.permute(0, 3, 6, 4, 7, 2, 1, 5, 8)  # [t, gh/m, gw/m, m, m, 3, temporal, patch, patch]
    return x.reshape(t * gh * gw, 3 * temporal * patch * patch), torch.tensor([[t, gh, gw]])


def cells(patches: Tensor, *, merge: int = 2, temporal: int = 2) -> Tensor:
    """The pixels that each visual token stands for, out of what `patchify` made.

    Args:
        patches: float32 [n * merge * merge, 3 * temporal * patch * patch].
        merge: patches per side of a visual token.
        temporal: frames per temporal step.

    Returns:
        RGB, uint8 [n, temporal, merge * merge * 3 * patch * patch], the same order in every frame.
    """
    values = patches.reshape(-1, merge**2, 3, temporal, patches.shape[1] // (3 * temporal))
    frames = values.permute(0, 3, 1, 2, 4).flatten(2)  # [n, temporal, p]
    return (frames * 127.5 + 127.5).round().to(torch.uint8)
