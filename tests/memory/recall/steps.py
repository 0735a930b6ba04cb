"""Temporal steps as a hot memory hands them to the archive, and random ones."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from memory.pool import KVShape
from memory.recall.archive import Archive
from memory.recall.index import Trace
from memory.recall.step import Step
from memory.rotation import Rotation
from memory.table import TEXT, VISUAL, TokenTable

LAYERS, HEADS, D = 2, 2, 8
SHAPE = KVShape(LAYERS, HEADS, D)
ROTATION = Rotation(
    torch.tensor([1.0, 0.3, 0.1, 0.01], dtype=torch.float64), torch.tensor([0, 1, 2, 0])
)


@dataclass
class Seen:
    """One step: a mark and places of one picture."""

    bare: Tensor  # keys without a position, [layers, heads, n, d]
    values: Tensor
    tokens: TokenTable

    @property
    def keys(self) -> Tensor:
        """As they are stored."""
        return ROTATION.put(self.bare, torch.from_numpy(self.tokens.positions))


def step(number: int, places: int = 4, *, base: int | None = None, seed: int | None = None) -> Seen:
    """Step `number`, at second `number`: random but the same for the same numbers."""
    generator = torch.Generator().manual_seed(number if seed is None else seed)
    size, base = (LAYERS, HEADS, places + 1, D), 10 * number if base is None else base
    cells = np.arange(places)
    at = np.stack([np.full(places, base + 1), base + 1 + cells // 4, base + 1 + cells % 4], axis=1)
    positions = np.concatenate([np.full((1, 3), base), at]).astype(np.int64)
    return Seen(
        torch.randn(size, generator=generator),
        torch.randn(size, generator=generator),
        TokenTable(
            positions,
            np.full(places + 1, number, np.int64),
            np.full(places + 1, float(number)),
            np.array([TEXT] + [VISUAL] * places, np.int8),
        ),
    )


def put(archive: Archive, *seen: Seen) -> None:
    """Hand steps over in one call."""
    tokens = seen[0].tokens
    for one in seen[1:]:
        tokens = tokens.joined(one.tokens)
    archive.put(
        torch.cat([x.keys for x in seen], 2), torch.cat([x.values for x in seen], 2), tokens
    )


def opened(archive: Archive, steps: Sequence[Trace] | None = None) -> list[Step]:
    """Steps with their bytes, all of which must come; of all tiers."""
    opening = archive.open(archive.steps if steps is None else steps)
    deadline = time.monotonic() + 20
    while not opening.ready:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    found = [each[0] for each in opening.steps(torch.device("cpu")) if each is not None]
    assert len(found) == len(archive.steps if steps is None else steps)
    return found


def landmarks(archive: Archive) -> Tensor:
    """Of all steps, oldest first, [n, layers, kv_heads, d]."""
    state = archive.state()
    return torch.cat([each.landmarks for each in (*state.away, *state.runs, *state.alone)])
