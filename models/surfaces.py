"""From what a decoder left on the device to RGB, there: the model sees it without a way round.

The arithmetic is that of ITU-R BT.601, BT.709 and BT.2020: brightness is a weighted sum of red,
green and blue, colour what blue and red have above it. A pixel takes the colour of its block of
four, as the decoder on the CPU does it; the two differ by three levels of 255 at most, because that
one rounds down in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import torch
from torch import Tensor

from core.frames import Surface

Use = tuple[torch.cuda.Event, tuple[Surface, ...]]


def rgb(surface: Surface) -> Tensor:  # uint8 [h, w, 3], on the device
    """The picture upright.

    Args:
        surface: written.

    Raises:
        ValueError: if brightness and colour do not belong together.
    """
    height, width = surface.luma.shape
    if surface.chroma.shape != (height // 2, width // 2, 2) or height % 2 or width % 2:
        raise ValueError(
            f"colour of {tuple(surface.chroma.shape)} for brightness of {(height, width)}"
        )
    light = surface.luma.float()
    colour = surface.chroma.float() - 128
    if not surface.full_range:
        light, colour = (light - 16) * (255 / 219), colour * (255 / 224)
    blue, red = colour.repeat_interleave(2, 0).repeat_interleave(2, 1).unbind(-1)
    of_red, of_blue = surface.weights
    of_green = 1 - of_red - of_blue
    red, blue = 2 * (1 - of_red) * red, 2 * (1 - of_blue) * blue
    green = -(of_red * red + of_blue * blue) / of_green
    found = torch.stack([light + red, light + green, light + blue], -1)
    upright = torch.rot90(found, surface.quarter_turns, (0, 1))
    return upright.round_().clamp_(0, 255).to(torch.uint8)


class Surfaces:
    """Reads surfaces in the device's own time and keeps them until it has.

    The host is ahead of the device: a surface that is let go of as soon as reading it was launched
    would be written over by the decoder before it was read.
    """

    def __init__(self) -> None:
        self._in_use: deque[Use] = deque()

    def __len__(self) -> int:
        return sum(len(surfaces) for _, surfaces in self._in_use)

    def read(self, surfaces: Sequence[Surface]) -> Tensor:  # uint8 [n, h, w, 3]
        """Launch the reading of pictures of one size; does not wait for it.

        Args:
            surfaces: at least one, on one device.

        Raises:
            ValueError: as `rgb`.
        """
        self._let_go()
        device = surfaces[0].luma.device
        if device.type == "cuda":
            queue = torch.cuda.current_stream(device)
            for surface in surfaces:
                if surface.written is not None:
                    queue.wait_event(surface.written)
        found = torch.stack([rgb(surface) for surface in surfaces])
        if device.type == "cuda":
            read = torch.cuda.Event()  # type: ignore[no-untyped-call]
            read.record(torch.cuda.current_stream(device))
            self._in_use.append((read, tuple(surfaces)))
        return found

    def _let_go(self) -> None:
        while self._in_use and self._in_use[0][0].query():  # type: ignore[no-untyped-call]
            self._in_use.popleft()
