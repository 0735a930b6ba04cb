"""A memory of random keys and values that heads may remember differently, and its mirror."""

from __future__ import annotations

import numpy as np
import torch

from memory.memory import KVMemory
from memory.observation import Observed
from memory.policies.policy import MemoryPolicy, Observes
from memory.pool import KVShape, PagePool
from memory.reach import Reach
from memory.rotation import Rotation
from memory.scratch import Scratch
from memory.table import MERGED, SUMMARY

SHAPE = KVShape(layers=5, kv_heads=2, head_dim=8)
HEADS = 4
ROTATION = Rotation(
    torch.tensor([1.0, 0.3, 0.1, 0.01], dtype=torch.float64), torch.tensor([0, 1, 2, 0])
)


class Run:
    """Feeds steps of one mark and some places of a grid to a memory, and keeps all it was fed.

    Args:
        policy: of the memory.
        capacity: tokens.
        sink: tokens of the fixed beginning.
        seed: of all keys, values and queries.
        device: of the pool.
        reach: of the memory.
    """

    def __init__(
        self,
        policy: MemoryPolicy,
        capacity: int = 60,
        sink: int = 3,
        seed: int = 0,
        device: str = "cpu",
        reach: Reach | None = None,
    ) -> None:
        self.pool = PagePool(SHAPE, 100, 8, device)
        self.memory = KVMemory(self.pool, capacity, policy, ROTATION, reach=reach)
        self.rng = np.random.default_rng(seed)
        self.torch = torch.Generator().manual_seed(seed)
        self.keys: dict[tuple[int, ...], torch.Tensor] = {}  # by position, [layers, kv_heads, d]
        self.values: dict[tuple[int, ...], torch.Tensor] = {}
        self.step = 0
        self.evicted = 0
        positions = np.repeat(np.arange(sink)[:, None], 3, axis=1)
        self.append(positions, None, np.zeros(sink, bool))
        self.memory.next_position = sink

    def watch(self, places: list[int], side: int = 4, **planted: torch.Tensor) -> list[int]:
        """One step: a mark and places of a side x side grid; returns t of mark and picture."""
        base = self.memory.next_position
        cells = np.array(places)
        at = np.stack([np.full(len(cells), base + 1), base + 1 + cells // side,
                       base + 1 + cells % side], axis=1)  # fmt: skip
        positions = np.concatenate([np.full((1, 3), base), at]).astype(np.int64)
        visual = np.array([False] + [True] * len(cells))
        self.append(positions, np.full(len(positions), float(self.step)), visual, **planted)
        self.memory.next_position = base + 1 + side
        self.step += 1
        return [base, base + 1]

    def append(
        self,
        positions: np.ndarray,
        times: np.ndarray | None,
        visual: np.ndarray,
        keys: torch.Tensor | None = None,
        values: torch.Tensor | None = None,
    ) -> None:
        """Random tokens, or given ones [n, kv_heads, d] in all layers, keys without a position."""
        n = len(positions)
        size = (SHAPE.layers, n, SHAPE.kv_heads, SHAPE.head_dim)
        bare = torch.randn(size, generator=self.torch) if keys is None else keys.expand(size)
        v = torch.randn(size, generator=self.torch) if values is None else values.expand(size)
        k = ROTATION.put(bare.transpose(1, 2), torch.from_numpy(positions)).transpose(1, 2)
        scratch = Scratch(self.pool, n)
        slots = scratch.extend(n)
        self.pool.keys.flatten(1, 2)[:, slots] = k.to(self.pool.device)
        self.pool.values.flatten(1, 2)[:, slots] = v.to(self.pool.device)
        for i, position in enumerate(positions.tolist()):
            self.keys[tuple(position)], self.values[tuple(position)] = k[:, i], v[:, i]
        seen = self.observed()
        if self.memory.policy.observes is Observes.STATES:
            for layer, cosines in enumerate(self.likeness(int(visual.sum()))):
                seen.note_likeness(layer, cosines.to(self.pool.device))
        self.evicted += self.memory.append(slots, positions, times, visual, seen)
        scratch.release()

    def observed(self) -> Observed:
        """Queries as a forward would have noted them."""
        seen = Observed(6)
        for layer in range(SHAPE.layers):
            queries = torch.randn(6, HEADS, SHAPE.head_dim, generator=self.torch)
            seen.note(layer, queries.to(self.pool.device))
        return seen

    def likeness(self, places: int) -> torch.Tensor:
        """Cosines as a forward would have noted them, [layers, places]: 1 at first, then less."""
        cosines = 1 - 2 * torch.rand(SHAPE.layers, places, generator=self.torch)
        return torch.cat([torch.ones(1, places), cosines[1:]])

    def held(self, layer: int, head: int) -> dict[tuple[int, ...], int]:
        """Positions that a head holds, and the slot of each; what was made left out."""
        rows = self.memory.rows[min(layer, len(self.memory.rows) - 1)]
        rows = rows[min(head, len(rows) - 1)]
        positions = self.memory.tokens.positions
        kinds = self.memory.tokens.kind
        return {
            tuple(positions[row].tolist()): slot
            for slot, row in enumerate(rows.tolist())
            if row >= 0 and kinds[row] not in (SUMMARY, MERGED)
        }
