"""Rotary angles that stay exact for years of video.

transformers multiplies position and frequency in float32: at 40 positions a second the angle
between neighbours is wrong by 0.03 after seven hours and by 0.25 after three days. Here the angle
is a float64, so that only differences of positions matter, however large the positions are.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from memory.rotation import Rotation


class ExactRotary(nn.Module):
    """Stands in for a text model's rotary module: same frequencies and layout, angles in float64.

    Args:
        stock: the module it stands in for.
    """

    def __init__(self, stock: nn.Module) -> None:
        super().__init__()
        self._stock: Any = stock

    def rotation(self) -> Rotation:
        """The same for keys that are already stored."""
        frequencies = self._stock.inv_freq.double().cpu()  # [d / 2]
        axes = torch.arange(3.0)[:, None, None, None].expand(3, 1, 1, len(frequencies))
        follows = self._stock.recomposition_frequencies(axes.clone())[0, 0]  # [d]
        return Rotation(frequencies, follows[: len(frequencies)].long())

    @torch.no_grad()
    def forward(self, x: Tensor, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines, each [batch, n, head_dim] in the type of `x`.

        Args:
            x: tells device and type.
            position_ids: int64 [3, batch, n], rotary (t, h, w).
        """
        frequencies = self._stock.inv_freq.to(x.device, torch.float64)
        angles = position_ids[..., None].double() * frequencies  # [3, batch, n, head_dim / 2]
        cos, sin = (
            self._stock.recomposition_frequencies(wave) * self._stock.attention_scaling
            for wave in (angles.cos(), angles.sin())
        )
        return cos.to(x.dtype), sin.to(x.dtype)
