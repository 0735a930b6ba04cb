"""The FlashAttention 2 kernel that CUDA builds of torch bring along."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from memory.readers.paged import PagedReader, cleared, refused_by_flash, same_for_all_heads
from memory.readers.reader import Demand, Plan
from memory.readers.tables import Side

FIRST_WITH_PAGES = "2.13"  # before, block tables need FlashAttention 3


class VarlenReader(PagedReader):
    """`torch.nn.attention.varlen` over pages of 256 slots or a multiple.

    Args:
        attend: `varlen_attn`; None: torch's.
    """

    by_head = False

    def __init__(self, attend: Callable[..., Any] | None = None) -> None:
        # imported here, since the oldest torch that we run with does not have it
        varlen = importlib.import_module("torch.nn.attention.varlen")
        self._attend = attend or varlen.varlen_attn
        self._aux = varlen.AuxRequest(lse=True)

    @classmethod
    def refuses(cls, demand: Demand) -> str | None:
        """See `Reader.refuses`."""
        if torch.__version__ < torch.torch_version.TorchVersion(FIRST_WITH_PAGES):
            return f"needs torch {FIRST_WITH_PAGES}, not {torch.__version__}"
        return refused_by_flash(demand)

    def partial(
        self, plan: Plan, layer: int, query: Tensor, scale: float, side: Side
    ) -> tuple[Tensor, Tensor]:
        """See `PagedReader.partial`.

        Raises:
            ValueError: if heads hold different numbers of tokens.
        """
        out, lse = self._attend(
            query, plan.pool.keys[layer], plan.pool.values[layer],
            plan.tables.starts, None, plan.tables.longest_query, side.longest,
            return_aux=self._aux, scale=scale,
            window_size=(-1, 0) if side.causal else (-1, -1), enable_gqa=True,
            seqused_k=same_for_all_heads(side), block_table=side.pages,
        )  # fmt: skip
        return cleared(out, lse, side)
