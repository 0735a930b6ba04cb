"""Blocks of several runs laid side by side, with which of their tokens are read and where.

This is what kernels read: few tensors for all layers, made once for a question. Only packed bytes
are copied for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from core.sending import sent
from memory.codecs.block import TOKENS, Block, blocks_of
from memory.codecs.codec import Packed, Planes
from memory.codecs.frozen import Frozen, remaining
from memory.codecs.layers import Layers
from memory.codecs.positions import unpack_positions
from memory.recall.step import Step
from memory.rotation import Rotation


@dataclass(frozen=True, eq=False)
class Blocks:
    """Archived steps in the few bits they are stored in.

    Planes have the layers and then the heads first: `codes` is uint8 [layers, heads, blocks,
    d * TOKENS * bits / 8], `step` uint8 and `centre` bfloat16 [layers, heads, blocks, d].
    """

    codec: Block
    keys: Planes
    values: Planes
    dtype: torch.dtype  # of what was packed
    places: Tensor  # int64 [tokens], which of the blocks * TOKENS each token read is
    positions: Tensor  # int64 [tokens, 3], where it is read
    rotation: Rotation

    def __len__(self) -> int:
        """Tokens that are read."""
        return len(self.places)

    @staticmethod
    def of(
        steps: Sequence[Step], bases: Sequence[int], rotation: Rotation, device: torch.device
    ) -> Blocks:
        """The blocks of some steps, each step read at another least position.

        Args:
            steps: at least one; their runs were packed by one and the same `Block`.
            bases: the least position that each is read at.
            rotation: how the model turns its keys.
            device: where they are to be read.

        Raises:
            ValueError: if there are none, or they were not packed so.
        """
        runs = {id(step.run): step.run for step in steps}
        codecs = {run.codec for run in runs.values()}
        if len(codecs) != 1:
            raise ValueError(f"steps of one codec are read together, not of {len(codecs)}")
        codec = next(iter(codecs))
        if not isinstance(codec, Block):
            raise ValueError(f"{codec.method} does not pack blocks of equal steps")
        whole = list(runs.values())
        left, begins = dict(zip(runs, remaining(whole), strict=True)), _begins(runs)
        places = torch.cat([begins[id(s.run)] + left[id(s.run)][s.start : s.stop] for s in steps])
        later = torch.tensor([base - s.base for s, base in zip(steps, bases, strict=True)])
        moved = later.repeat_interleave(torch.tensor([len(s) for s in steps]))
        at = torch.cat([_of_places(run) for run in whole])
        there = sent(places, at.device)
        return Blocks(
            codec,
            _side_by_side([run.keys for run in whole], device),
            _side_by_side([run.values for run in whole], device),
            whole[0].keys.dtype,
            sent(places, device),
            sent(at[there] + sent(moved, at.device)[:, None], device),
            rotation,
        )

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Layers, heads, blocks, d."""
        layers, heads, blocks, d = self.keys["step"].shape
        return layers, heads, blocks, d

    @property
    def largest(self) -> float:
        """What no number that comes back exceeds."""
        return torch.finfo(self.dtype).max

    @cached_property
    def turns(self) -> tuple[Tensor, Tensor]:
        """Cosine and sine of every place, float32 [blocks * TOKENS, d / 2]; 0 where unread."""
        angles = self.rotation.angles(self.positions)
        cos, sin = (self._spread(x.float(), 0.0) for x in (angles.cos(), angles.sin()))
        return cos, sin

    def targets(self, slots: Tensor) -> Tensor:
        """What is known of each token read, for every place, [blocks * TOKENS]; -1 where unread.

        Args:
            slots: int64 [tokens], none negative.
        """
        return self._spread(slots, -1)

    @cached_property
    def read(self) -> Tensor:
        """Every place that is read, by its own number, int64 [blocks * TOKENS]; -1 where unread."""
        return self.targets(self.places)

    def decoded(self, layer: int) -> tuple[Tensor, Tensor]:
        """Bare keys and values of the tokens read, each [heads, tokens, d]; the reference."""
        _, heads, blocks, d = self.shape
        keys, values = (
            Packed({name: plane[layer] for name, plane in planes.items()},
                   (heads, blocks * TOKENS, d), self.dtype)
            for planes in (self.keys, self.values)
        )  # fmt: skip
        return (
            self.codec.decode_keys(keys)[:, self.places],
            self.codec.decode_values(values)[:, self.places],
        )

    def _spread(self, x: Tensor, nothing: float) -> Tensor:
        spread = x.new_full((self.shape[2] * TOKENS, *x.shape[1:]), nothing)
        spread[self.places] = x
        return spread


def _begins(runs: Mapping[int, Frozen]) -> dict[int, int]:
    """The first place of each run, whose blocks lie one after the other."""
    ends = np.cumsum([blocks_of(run.tokens) * TOKENS for run in runs.values()])
    return dict(zip(runs, [0, *ends.tolist()], strict=False))


def _of_places(run: Frozen) -> Tensor:
    """Positions of all places of its blocks, int64 [blocks * TOKENS, 3]; 0 where there is none."""
    filled: Tensor = pad(unpack_positions(run.positions), (0, 0, 0, -run.tokens % TOKENS))
    return filled


def _side_by_side(runs: Sequence[Layers], device: torch.device) -> Planes:
    """Planes of runs as one of each name, blocks after blocks."""
    return {
        name: torch.cat([sent(run.planes[name], device) for run in runs], 2)
        for name in runs[0].planes
    }
