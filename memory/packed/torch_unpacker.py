"""The reference: decodes with the codec and computes with plain torch, on any device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from memory.packed.blocks import Blocks
from memory.packed.unpacker import Unpacker
from memory.pool import PagePool
from memory.readers.partial import partial_attention
from memory.recall.step import Step, thaw
from memory.rotation import Rotation


class TorchUnpacker(Unpacker):
    """What all others are compared with."""

    def put(
        self,
        steps: Sequence[Step],
        bases: Sequence[int],
        rotation: Rotation,
        pool: PagePool,
        slots: Tensor,
    ) -> None:
        """See `Unpacker.put`."""
        found = thaw(steps)
        moved = [
            one.positions + (base - step.base)
            for step, base, one in zip(steps, bases, found, strict=True)
        ]
        bare, values = (
            torch.cat(each, 2) for each in zip(*((x.keys, x.values) for x in found), strict=True)
        )
        pool.write(slots[None, None], rotation.put(bare, torch.cat(moved)), values)

    def attend(
        self, blocks: Blocks, layer: int, query: Tensor, scale: float
    ) -> tuple[Tensor, Tensor]:
        """See `Unpacker.attend`."""
        bare, values = blocks.decoded(layer)
        keys = blocks.rotation.put(bare, blocks.positions)
        return partial_attention(
            query, keys.transpose(0, 1), values.transpose(0, 1), scale, causal=False
        )
