"""Grouped-query attention without copying keys: query heads of a group share one long row.

The stock path repeats keys and values for every query head, which costs more than the attention
itself when many questions are asked of one memory.
"""

from __future__ import annotations

from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface

FOLDED: Final = "lookout_folded"


def folded_attention(
    module: nn.Module,
    query: Tensor,  # [n, heads, m, d]
    key: Tensor,  # [n, kv_heads, l, d]
    value: Tensor,  # [n, kv_heads, l, d]
    attention_mask: Tensor,  # [n, 1, m, l], added to the scores
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """The same numbers as stock attention; returns [n, m, heads, d] and no weights."""
    n, heads, m, d = query.shape
    group = heads // key.shape[1]
    rows = query.reshape(n, key.shape[1], group * m, d)
    mask = attention_mask.repeat(1, 1, group, 1)
    if torch.is_autocast_enabled("cpu") or value.dtype == torch.bfloat16:
        rows, key, value, mask = (x.to(torch.bfloat16) for x in (rows, key, value, mask))
    out = F.scaled_dot_product_attention(rows, key, value, attn_mask=mask, scale=scaling)
    return out.reshape(n, heads, m, d).transpose(1, 2), None


def register() -> None:
    """Make it known to transformers; calling it again changes nothing."""
    AttentionInterface.register(FOLDED, folded_attention)
