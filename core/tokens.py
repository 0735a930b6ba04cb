"""Visual tokens of one segment and the one operation that drops some of them.

Features, grid index and DeepStack rows travel together, so that no method can let them drift.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Grid(NamedTuple):
    """Merged patches of one segment: t temporal steps of h rows and w columns."""

    t: int
    h: int
    w: int

    @property
    def per_step(self) -> int:
        """Visual tokens of one temporal step before pruning."""
        return self.h * self.w


@dataclass(frozen=True, slots=True, eq=False)
class VisualTokens:
    """What the vision encoder made of some temporal steps, after patch merging."""

    features: Tensor  # [n, d]
    index: Tensor  # [n] int64, strictly increasing, into the flattened (t, h, w) grid
    grid: Grid
    times: tuple[float, ...]  # [grid.t] seconds, the middle of each temporal step
    deepstack: tuple[Tensor, ...] = ()  # each [n, d]; one per decoder layer that takes it

    def __post_init__(self) -> None:
        n = self.features.shape[0]
        if self.index.shape != (n,) or any(rows.shape[0] != n for rows in self.deepstack):
            raise ValueError(
                f"{n} features, index {tuple(self.index.shape)}, "
                f"deepstack {[tuple(rows.shape) for rows in self.deepstack]}: rows must match"
            )
        if len(self.times) != self.grid.t:
            raise ValueError(f"{len(self.times)} times for {self.grid.t} temporal steps")

    def __len__(self) -> int:
        return int(self.features.shape[0])

    @property
    def step(self) -> Tensor:
        """Temporal step of each token, int64 [n]."""
        return self.index // self.grid.per_step

    def select(self, keep: Tensor) -> VisualTokens:
        """The given rows, still on the same grid.

        Args:
            keep: rows to keep, int64 [k], strictly increasing, within [0, n).

        Raises:
            ValueError: if `keep` is not one-dimensional, increasing and in range.
        """
        if keep.ndim != 1 or keep.dtype != torch.int64:
            raise ValueError(f"keep must be int64 [k], not {keep.dtype} {tuple(keep.shape)}")
        if keep.numel() and (int(keep[0]) < 0 or int(keep[-1]) >= len(self)):
            raise ValueError(f"keep must lie in [0, {len(self)})")
        if bool((keep[1:] <= keep[:-1]).any()):
            raise ValueError("keep must be strictly increasing")
        return VisualTokens(
            features=self.features[keep],
            index=self.index[keep],
            grid=self.grid,
            times=self.times,
            deepstack=tuple(rows[keep] for rows in self.deepstack),
        )

    def steps(self, start: int, stop: int) -> VisualTokens:
        """The tokens of temporal steps [start, stop), on a grid of their own."""
        if not 0 <= start < stop <= self.grid.t:
            raise ValueError(f"steps [{start}, {stop}) of {self.grid.t}")
        low, high = start * self.grid.per_step, stop * self.grid.per_step
        rows = (self.index >= low) & (self.index < high)
        return VisualTokens(
            features=self.features[rows],
            index=self.index[rows] - low,
            grid=Grid(stop - start, self.grid.h, self.grid.w),
            times=self.times[start:stop],
            deepstack=tuple(d[rows] for d in self.deepstack),
        )


def concatenate(first: VisualTokens, second: VisualTokens) -> VisualTokens:
    """Two runs of temporal steps as one; both must share rows and columns.

    Raises:
        ValueError: if the grids differ in h or w.
    """
    if first.grid[1:] != second.grid[1:]:
        raise ValueError(f"grids {first.grid} and {second.grid} do not join")
    return VisualTokens(
        features=torch.cat([first.features, second.features]),
        index=torch.cat([first.index, second.index + first.grid.t * first.grid.per_step]),
        grid=Grid(first.grid.t + second.grid.t, first.grid.h, first.grid.w),
        times=first.times + second.times,
        deepstack=tuple(
            torch.cat([a, b]) for a, b in zip(first.deepstack, second.deepstack, strict=True)
        ),
    )
