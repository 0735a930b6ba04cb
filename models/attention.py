"""Our two attention functions, offered to transformers through its `AttentionInterface`.

`TEXT` reads a read-only memory and a private scratch instead of a cache (see `memory.readers`);
`VISION` computes the packed vision attention of equally long chunks as one batch.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface

from memory.readers.reader import Plan

TEXT = "lookout"
# transformers hands all chunks over in one call (with their cumulative lengths) only to functions
# whose name holds "flash"; any other name is called once per temporal step from a Python loop.
VISION = "lookout_vision_flash"


class Received:
    """How much attention each patch receives in one attention module of the vision tower.

    Handed to the tower beside the pixels. Only that module's weights are ever computed, one
    temporal step at a time; everywhere else attention goes on without them.

    Args:
        module: the attention of the block to look at.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._steps: list[Tensor] = []  # float32 [patches] per temporal step, each sums to 1

    def note(
        self, module: nn.Module, query: Tensor, key: Tensor, lengths: list[int], scaling: float
    ) -> None:
        """Take notice if this is the module; query and key are [1, heads, patches, head_dim]."""
        if module is not self._module:
            return
        steps = (torch.split(x[0], lengths, dim=1) for x in (query, key))
        for q, k in zip(*steps, strict=True):
            weights = (q.float() @ k.float().mT * scaling).softmax(dim=-1)  # [heads, len, len]
            self._steps.append(weights.mean(dim=(0, 1)))

    def per_token(self, patches: int) -> Tensor:
        """The share of its step that each merged token received, float32 [tokens].

        Args:
            patches: that become one token. The tower has them in blocks, not in raster order, so
                those of one token are neighbours.
        """
        return torch.cat(self._steps).reshape(-1, patches).sum(dim=-1)


def vision_attention(
    module: nn.Module,
    query: Tensor,  # [1, heads, patches, head_dim]
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    cu_seq_lens_q: Tensor | None = None,  # [chunks + 1]
    received: Received | None = None,
    lengths: list[int] | None = None,  # of the chunks, where they are known on the host
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention within each chunk (one temporal step of one segment), never across.

    Returns:
        [1, patches, heads, head_dim] and no weights.
    """
    if lengths is None:
        assert cu_seq_lens_q is not None, "transformers passes the chunk lengths to this function"
        lengths = (cu_seq_lens_q[1:] - cu_seq_lens_q[:-1]).tolist()
    if received is not None:
        received.note(module, query, key, lengths, scaling or query.shape[-1] ** -0.5)
    if len(set(lengths)) == 1:
        chunks, heads, dim = len(lengths), query.shape[1], query.shape[3]
        q, k, v = (
            x[0].reshape(heads, chunks, lengths[0], dim).transpose(0, 1)
            for x in (query, key, value)
        )
        out = F.scaled_dot_product_attention(q, k, v, scale=scaling)  # [chunks, heads, len, dim]
        return out.transpose(1, 2).reshape(1, -1, heads, dim), None
    parts = [
        F.scaled_dot_product_attention(q, k, v, scale=scaling)
        for q, k, v in zip(
            *(torch.split(x, lengths, dim=2) for x in (query, key, value)), strict=True
        )
    ]
    return torch.cat(parts, dim=2).transpose(1, 2), None


def text_attention(
    module: nn.Module,
    query: Tensor,  # [1, heads, tokens, head_dim], rotated
    key: Tensor,  # [1, kv_heads, tokens, head_dim], rotated
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    plan: Plan,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention of a packed forward over the memories and scratches that `plan` names.

    Returns:
        [1, tokens, heads, head_dim] and no weights.
    """
    q, k, v = (x[0].transpose(0, 1) for x in (query, key, value))
    layer: Any = module.layer_idx  # transformers numbers its attention modules
    return plan.attend(layer, q, k, v, scaling)[None], None


def register() -> None:
    """Make both functions known to transformers; calling it again changes nothing.

    No mask function is registered for `TEXT`: transformers then builds none, which is what we want.
    """
    AttentionInterface.register(TEXT, text_attention)
    AttentionInterface.register(VISION, vision_attention)
