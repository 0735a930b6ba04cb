"""Visual tokens of one segment and the one operation that drops or merges some of them.

Features, grid index and DeepStack rows travel together, so that no method can let them drift.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from core.sending import sent


class Grid(NamedTuple):
    """Merged patches of one segment: t temporal steps of h rows and w columns."""

    t: int
    h: int
    w: int

    @property
    def per_step(self) -> int:
        """Visual tokens of one temporal step before pruning."""
        return self.h * self.w


class Merge(NamedTuple):
    """What flows into kept rows: a sparse matrix over the rows before, one entry per edge.

    A kept row that some edge names becomes the weighted sum of its sources, so its own share is an
    edge too. A kept row that no edge names stays as it is. Every kept row keeps its place on the
    grid, whatever flows into it.
    """

    source: Tensor  # int64 [e], rows before selecting
    target: Tensor  # int64 [e], places among the kept rows
    weight: Tensor  # float32 [e]


@dataclass(frozen=True, slots=True, eq=False)
class VisualTokens:
    """What the vision encoder made of some temporal steps, after patch merging."""

    features: Tensor  # [n, d]
    # [n] int64, strictly increasing, into the flattened (t, h, w) grid. On the host, wherever the
    # features are: what is laid out by it must not wait for them.
    index: Tensor
    grid: Grid
    times: tuple[float, ...]  # [grid.t] seconds, the middle of each temporal step
    deepstack: tuple[Tensor, ...] = ()  # each [n, d]; one per decoder layer that takes it
    # [n] float32, the share of its step's attention that each token received in the last vision
    # block; a dense step sums to 1. None where nobody asked for it.
    attention: Tensor | None = None
    # [n, f, p] uint8, the pixels under each token in the f frames of its step, the same p values in
    # the same order for every token and frame. None where nobody asked for them.
    pixels: Tensor | None = None

    def __post_init__(self) -> None:
        n = self.features.shape[0]
        if self.index.shape != (n,) or any(rows.shape[0] != n for rows in self.deepstack):
            raise ValueError(
                f"{n} features, index {tuple(self.index.shape)}, "
                f"deepstack {[tuple(rows.shape) for rows in self.deepstack]}: rows must match"
            )
        if self.index.device.type != "cpu":
            raise ValueError(f"the index belongs on the host, not on {self.index.device}")
        if self.attention is not None and self.attention.shape != (n,):
            raise ValueError(f"{n} features, attention {tuple(self.attention.shape)}")
        if self.pixels is not None and (self.pixels.ndim != 3 or len(self.pixels) != n):
            raise ValueError(f"{n} features, pixels {tuple(self.pixels.shape)}")
        if len(self.times) != self.grid.t:
            raise ValueError(f"{len(self.times)} times for {self.grid.t} temporal steps")

    def __len__(self) -> int:
        return int(self.features.shape[0])

    @property
    def step(self) -> Tensor:
        """Temporal step of each token, int64 [n]."""
        return self.index // self.grid.per_step

    def counts(self) -> list[int]:
        """How many tokens each temporal step still has."""
        starts = torch.arange(self.grid.t + 1) * self.grid.per_step
        return torch.searchsorted(self.index, starts).diff().tolist()

    def select(self, keep: Tensor, merge: Merge | None = None) -> VisualTokens:
        """The given rows, still on the same grid.

        Args:
            keep: rows to keep, int64 [k], strictly increasing, within [0, n); where the features
                are, or on the host.
            merge: what flows into them, in features and every DeepStack level alike; None leaves
                each row as it is. Attention and pixels stay those of the place.

        Raises:
            ValueError: if `keep` is not one-dimensional, increasing and in range, or `merge` names
                rows that are not there or weights that are not finite.
        """
        if keep.ndim != 1 or keep.dtype != torch.int64:
            raise ValueError(f"keep must be int64 [k], not {keep.dtype} {tuple(keep.shape)}")
        kept = keep.cpu()  # the one time that the host waits to know
        if kept.numel() and (int(kept[0]) < 0 or int(kept[-1]) >= len(self)):
            raise ValueError(f"keep must lie in [0, {len(self)})")
        if bool((kept[1:] <= kept[:-1]).any()):
            raise ValueError("keep must be strictly increasing")
        keep = sent(kept, self.features.device) if keep is kept else keep
        if merge is not None:
            _check(merge, len(self), len(keep))
        return VisualTokens(
            features=_gather(self.features, keep, merge),
            index=self.index[kept],
            grid=self.grid,
            times=self.times,
            deepstack=tuple(_gather(rows, keep, merge) for rows in self.deepstack),
            attention=None if self.attention is None else self.attention[keep],
            pixels=None if self.pixels is None else self.pixels[keep],
        )

    def steps(self, start: int, stop: int) -> VisualTokens:
        """The tokens of temporal steps [start, stop), on a grid of their own; a view of these."""
        if not 0 <= start < stop <= self.grid.t:
            raise ValueError(f"steps [{start}, {stop}) of {self.grid.t}")
        low, high = start * self.grid.per_step, stop * self.grid.per_step
        first, last = torch.searchsorted(self.index, torch.tensor([low, high])).tolist()
        rows = slice(first, last)
        return VisualTokens(
            features=self.features[rows],
            index=self.index[rows] - low,
            grid=Grid(stop - start, self.grid.h, self.grid.w),
            times=self.times[start:stop],
            deepstack=tuple(d[rows] for d in self.deepstack),
            attention=None if self.attention is None else self.attention[rows],
            pixels=None if self.pixels is None else self.pixels[rows],
        )


def concatenate(first: VisualTokens, second: VisualTokens) -> VisualTokens:
    """Two runs of temporal steps as one; both must share rows and columns.

    Attention and pixels are kept where both have them.

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
        attention=_both(first.attention, second.attention),
        pixels=_both(first.pixels, second.pixels),
    )


def _both(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    return None if first is None or second is None else torch.cat([first, second])


def _gather(rows: Tensor, keep: Tensor, merge: Merge | None) -> Tensor:
    """Rows [n, d] to [k, d]; sums in float32, untouched rows bit for bit."""
    kept = rows[keep]
    if merge is None or merge.target.numel() == 0:
        return kept
    parts = rows[merge.source].float() * merge.weight[:, None].float()
    sums = torch.zeros(kept.shape, dtype=torch.float32, device=rows.device)
    sums.index_add_(0, merge.target, parts)
    touched = torch.zeros(len(keep), dtype=torch.bool, device=rows.device)
    touched[merge.target] = True
    return torch.where(touched[:, None], sums.to(rows.dtype), kept)


def _check(merge: Merge, rows: int, kept: int) -> None:
    """Refuse a merge that does not fit.

    Raises:
        ValueError: saying what does not.
    """
    source, target, weight = merge
    if not source.shape == target.shape == weight.shape or source.ndim != 1:
        raise ValueError(
            f"merge sources {tuple(source.shape)}, targets {tuple(target.shape)} and weights "
            f"{tuple(weight.shape)} must be as many"
        )
    for name, places, size in (("sources", source.cpu(), rows), ("targets", target.cpu(), kept)):
        if places.numel() and not 0 <= int(places.min()) <= int(places.max()) < size:
            raise ValueError(f"merge {name} must lie in [0, {size})")
    if not bool(torch.isfinite(weight).all()):
        raise ValueError("merge weights hold NaN or infinity")
