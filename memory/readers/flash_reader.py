"""The flash-attn package, where somebody has built it."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from memory.readers.paged import PagedReader, cleared, refused_by_flash, same_for_all_heads
from memory.readers.reader import Demand, Plan
from memory.readers.tables import Side


class FlashReader(PagedReader):
    """FlashAttention 2 over pages of 256 slots or a multiple.

    Args:
        attend: `flash_attn_varlen_func`; None: that of the package.
    """

    by_head = False

    def __init__(self, attend: Callable[..., Any] | None = None) -> None:
        self._attend = attend or importlib.import_module("flash_attn").flash_attn_varlen_func

    @classmethod
    def refuses(cls, demand: Demand) -> str | None:
        """See `Reader.refuses`."""
        if importlib.util.find_spec("flash_attn") is None:
            return "flash-attn is not installed"
        return refused_by_flash(demand)

    def partial(
        self, plan: Plan, layer: int, query: Tensor, scale: float, side: Side
    ) -> tuple[Tensor, Tensor]:
        """See `PagedReader.partial`.

        Raises:
            ValueError: if heads hold different numbers of tokens.
        """
        lengths = same_for_all_heads(side)
        until = torch.nn.functional.pad(lengths.cumsum(0, dtype=torch.int32), (1, 0))
        out, lse, _ = self._attend(
            query, plan.pool.keys[layer], plan.pool.values[layer],
            plan.tables.starts, until, plan.tables.longest_query, side.longest,
            softmax_scale=scale, causal=side.causal,
            return_attn_probs=True,  # the only way to get the log-sum-exp
            block_table=side.pages,
        )  # fmt: skip
        return cleared(out, lse, side)
