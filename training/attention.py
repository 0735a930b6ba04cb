"""Attention made for training on CPU, where the fused kernel's backward pass is the slowest part.

Written out as two matrix products and a softmax it is about three times as fast there. Query heads
that share keys stand in one long row, so that keys are not copied for every head.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor, nn
from transformers import AttentionInterface

TEXT: Final = "lookout_training"
# transformers hands all temporal steps over in one call only to names that hold "flash".
VISION: Final = "lookout_training_vision_flash"


def text_attention(
    module: nn.Module,
    query: Tensor,  # [n, heads, m, d]
    key: Tensor,  # [n, kv_heads, l, d]
    value: Tensor,  # [n, kv_heads, l, d]
    attention_mask: Tensor,  # [n, 1, m, l], added to the scores
    scaling: float,
    **kwargs: Any,
) -> tuple[Tensor, Tensor]:
    """As stock attention; returns [n, m, heads, d] and the weights [n, heads, m, l]."""
    n, heads, m, d = query.shape
    group = heads // key.shape[1]
    rows = query.reshape(n, key.shape[1], group * m, d)
    out, weights = _attend(rows, key, value, scaling, attention_mask)
    return out.reshape(n, heads, m, d).transpose(1, 2), weights.reshape(n, heads, m, -1)


def vision_attention(
    module: nn.Module,
    query: Tensor,  # [1, heads, patches, d]
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    cu_seq_lens_q: Tensor,  # [steps + 1], all steps equally long
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention within each temporal step; returns [1, patches, heads, d] and no weights."""
    _, heads, patches, d = query.shape
    steps = len(cu_seq_lens_q) - 1
    q, k, v = (
        x.reshape(heads, steps, patches // steps, d).transpose(0, 1) for x in (query, key, value)
    )
    out, _ = _attend(q, k, v, scaling, None)  # [steps, heads, patches of a step, d]
    return out.transpose(1, 2).reshape(1, patches, heads, d), None


def register() -> None:
    """Make both known to transformers; calling it again changes nothing."""
    AttentionInterface.register(TEXT, text_attention)
    AttentionInterface.register(VISION, vision_attention)


def _attend(
    query: Tensor, key: Tensor, value: Tensor, scaling: float, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    device = query.device.type
    half = torch.is_autocast_enabled(device)
    query = query * scaling
    if half:
        query, key, value = (x.to(torch.bfloat16) for x in (query, key, value))
    with torch.autocast(device, enabled=False):  # which would take the softmax to float32
        scores = query @ key.transpose(-2, -1)
        if mask is not None:
            n, heads, _, keys = scores.shape
            many = scores.reshape(n, heads, -1, mask.shape[2], keys)
            scores = (many + mask[:, :, None].to(scores.dtype)).flatten(2, 3)
        weights = scores.softmax(-1)
        return weights @ value, weights
