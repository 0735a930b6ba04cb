"""Rotary positions of keys, put on and taken off exactly: angles in float64, one turn each time.

A stored key is never turned again and again: it is turned back to what it was before it had a
position, and from there to the new one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from core.sending import sent


@dataclass(frozen=True, slots=True, eq=False)
class Rotation:
    """How a model turns its keys: channel i goes with channel i + d / 2.

    Positions may lie on the host and keys on a device: angles are computed where positions are.
    """

    frequencies: Tensor  # float64 [d / 2], radians per position
    axes: Tensor  # int64 [d / 2], which of (t, h, w) each pair of channels follows
    # Both on every device that they were asked for on: once is enough.
    _there: dict[torch.device, tuple[Tensor, Tensor]] = field(
        default_factory=dict, init=False, repr=False
    )

    @staticmethod
    def plain(d: int, theta: float = 10_000.0) -> Rotation:
        """Every pair follows t; for text and for tests."""
        exponents = torch.arange(0, d, 2, dtype=torch.float64) / d
        return Rotation(theta**-exponents, torch.zeros(d // 2, dtype=torch.int64))

    def put(self, keys: Tensor, positions: Tensor) -> Tensor:
        """Keys without a position to keys at `positions`, in their own type.

        Args:
            keys: [..., n, d].
            positions: int64 [n, 3] or [..., n, 3].
        """
        return self._turned(keys, positions, 1.0)

    def take(self, keys: Tensor, positions: Tensor) -> Tensor:
        """The inverse of `put`, in float32 at least: it is computed with, not stored."""
        wide = keys if keys.dtype == torch.float64 else keys.float()
        return self._turned(wide, positions, -1.0)

    def angles(self, positions: Tensor) -> Tensor:
        """By how much each pair of channels is turned, float64 [..., n, d / 2], in radians.

        Args:
            positions: int64 [..., n, 3].
        """
        frequencies, axes = self._on(positions.device)
        return positions[..., axes].double() * frequencies

    def _turned(self, keys: Tensor, positions: Tensor, sign: float) -> Tensor:
        angles = self.angles(positions)
        exact = torch.float64 if keys.dtype == torch.float64 else torch.float32
        turns = (angles.cos().to(exact), (sign * angles.sin()).to(exact))
        cos, sin = (sent(turn, keys.device) for turn in turns)
        first, second = keys.to(exact).chunk(2, dim=-1)
        turned = torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
        return turned.to(keys.dtype)

    def _on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Frequencies and axes on a device."""
        if device not in self._there:
            # Waits, once: what is kept may be used on another stream, which would not.
            self._there[device] = self.frequencies.to(device), self.axes.to(device)
        return self._there[device]
