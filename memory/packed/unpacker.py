"""The contract: archived steps into pages, and attention over blocks that stay packed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor

from memory.packed.blocks import Blocks
from memory.pool import PagePool
from memory.readers.reader import Demand
from memory.recall.step import Step
from memory.rotation import Rotation


class Unpacker(ABC):
    """Reads archived steps; backends differ only in speed and in rounding."""

    @abstractmethod
    def put(
        self,
        steps: Sequence[Step],
        bases: Sequence[int],
        rotation: Rotation,
        pool: PagePool,
        slots: Tensor,
    ) -> None:
        """Store keys, turned to where they are read, and values of steps of any codec.

        Args:
            steps: at least one.
            bases: the least position that each is read at.
            rotation: how the model turns its keys.
            pool: whose slots are written, in all layers and heads.
            slots: flat slots, one for each token of each step, int64 [tokens].
        """

    @abstractmethod
    def attend(
        self, blocks: Blocks, layer: int, query: Tensor, scale: float
    ) -> tuple[Tensor, Tensor]:
        """Attention over the tokens read of blocks, to be merged with that over others.

        Args:
            blocks: on the device of the queries.
            layer: of the blocks.
            query: rotated, [q, heads, d]; heads is a multiple of the blocks' heads.
            scale: of the scores.

        Returns:
            output, float32 [q, heads, d], and log-sum-exp of the scores, float32 [q, heads], as
            `memory.readers.partial.partial_attention` returns them.
        """

    @classmethod
    def refuses(cls, demand: Demand) -> str | None:
        """Why it cannot do that here, in a few words; None: it can."""
        return None
