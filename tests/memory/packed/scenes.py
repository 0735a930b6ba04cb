"""Runs of archived steps, a pool to thaw them into, and queries."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from memory.codecs.codec import Codec
from memory.codecs.frozen import freeze
from memory.packed.blocks import Blocks
from memory.packed.unpacker import Unpacker
from memory.pool import KVShape, PagePool
from memory.recall.step import Step
from memory.rotation import Rotation

SHIFT = 1000  # steps are read so much later than they were seen


def rotation(d: int) -> Rotation:
    """Pairs of channels that follow t, h and w in turn."""
    return replace(Rotation.plain(d, 100.0), axes=torch.arange(d // 2) % 3)


def run(
    codec: Codec, lengths: list[int], shape: KVShape, seed: int, gone: tuple[int, ...] = ()
) -> list[Step]:
    """Steps of so many tokens each, frozen together; tokens `gone` of them are then evicted."""
    draw = torch.Generator().manual_seed(seed)
    tokens, d = sum(lengths), shape.head_dim
    size = (shape.layers, shape.kv_heads, tokens, d)
    keys, values = (torch.randn(size, generator=draw).to(shape.dtype) for _ in range(2))
    positions = 7_000 * seed + torch.randint(0, 9, (tokens, 3), generator=draw).cumsum(0)
    evicted = torch.zeros(tokens, dtype=torch.bool)
    evicted[list(gone)] = True
    frozen = freeze(codec, keys, values, positions).evict(evicted)
    steps, start = [], 0
    for number, length in enumerate(lengths):
        at = positions[start : start + length]
        base, kept = int(at.min()), int((~evicted[start : start + length]).sum())
        begin = int((~evicted[:start]).sum())
        took = int(at.max()) + 1 - base
        steps.append(Step(frozen, begin, begin + kept, float(number), base, took))
        start += length
    return steps


@dataclass
class Scene:
    """Steps to be read, each at another place than it was seen at."""

    shape: KVShape
    steps: list[Step]

    @property
    def bases(self) -> list[int]:
        """Where they are read: shifted, each step by another number."""
        return [step.base + SHIFT + 5 * n for n, step in enumerate(self.steps)]

    @property
    def tokens(self) -> int:
        """Of all steps."""
        return sum(len(step) for step in self.steps)

    def blocks(self, device: str) -> Blocks:
        """The steps as kernels read them."""
        turning = rotation(self.shape.head_dim)
        return Blocks.of(self.steps, self.bases, turning, torch.device(device))

    def put(self, unpacker: Unpacker, device: str, dtype: torch.dtype | None = None) -> PagePool:
        """A pool of sevens into which the steps were thawed, at slots in no order."""
        shape = replace(self.shape, dtype=dtype or self.shape.dtype)
        pool = PagePool(shape, -(-self.tokens // 4) + 3, 4, device)
        pool.keys.fill_(7), pool.values.fill_(7)
        order = torch.randperm(pool.pages * 4, generator=torch.Generator().manual_seed(5))
        slots = order[: self.tokens].to(device)
        unpacker.put(self.steps, self.bases, rotation(shape.head_dim), pool, slots)
        return pool

    def queries(self, count: int, heads: int, device: str) -> Tensor:
        """Random ones, [count, heads, d]."""
        draw = torch.Generator().manual_seed(11)
        made = torch.randn(count, heads, self.shape.head_dim, generator=draw)
        return made.to(device, self.shape.dtype)
