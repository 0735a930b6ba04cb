"""Attention over some of the keys, and how such parts become attention over all of them.

A part is an output and the log-sum-exp of its scores. Merging by log-sum-exp is exact: the result
is the softmax over all keys together.
"""

from __future__ import annotations

import torch
from torch import Tensor

NOTHING = float("-inf")  # log-sum-exp of no keys at all


def partial_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scale: float,
    *,
    causal: bool,
    lengths: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Attention over one set of keys, with what is needed to merge it with another.

    Args:
        query: [q, heads, head_dim].
        key: [k, kv_heads, head_dim]; heads is a multiple of kv_heads.
        value: [k, kv_heads, head_dim].
        scale: of the scores.
        causal: the last query sees all keys, the one before all but the last, ...
        lengths: how many of the keys each head sees, int [kv_heads]; None: all.

    Returns:
        output, float32 [q, heads, head_dim], and log-sum-exp of the scores, float32 [q, heads];
        zero and -inf where no key is seen.
    """
    q_len, heads, dim = query.shape
    k_len, kv_heads, _ = key.shape
    grouped = query.float().view(q_len, kv_heads, heads // kv_heads, dim).permute(1, 2, 0, 3)
    scores = grouped @ key.float().permute(1, 2, 0)[:, None] * scale  # [kv_heads, group, q, k]
    if causal and q_len > 1:
        hidden = torch.ones(q_len, k_len, dtype=torch.bool, device=query.device)
        scores = scores.masked_fill(hidden.triu(k_len - q_len + 1), NOTHING)
    if lengths is not None:
        unused = torch.arange(k_len, device=query.device) >= lengths[:, None]  # [kv_heads, k]
        scores = scores.masked_fill(unused[:, None, None], NOTHING)
    lse = scores.logsumexp(dim=-1)  # [kv_heads, group, q]
    out = (scores - _ground(lse)[..., None]).exp() @ value.float().transpose(0, 1)[:, None]
    return out.permute(2, 0, 1, 3).reshape(q_len, heads, dim), lse.permute(2, 0, 1).reshape(
        q_len, heads
    )


def merge(out_a: Tensor, lse_a: Tensor, out_b: Tensor, lse_b: Tensor) -> tuple[Tensor, Tensor]:
    """Two partial attentions of the same queries over disjoint keys as one.

    Args:
        out_a: float32 [q, heads, head_dim].
        lse_a: float32 [q, heads].
        out_b: as out_a.
        lse_b: as lse_a; -inf on either side, or on both, means that no key is seen there.
    """
    weight = torch.sigmoid(lse_a - lse_b).nan_to_num(0.5)[..., None]  # nan: nothing on both sides
    return out_a * weight + out_b * (1 - weight), torch.logaddexp(lse_a, lse_b)


def combine(outs: Tensor, lses: Tensor) -> tuple[Tensor, Tensor]:
    """Any number of partial attentions of the same queries over disjoint keys as one.

    Args:
        outs: float32 [parts, q, heads, head_dim].
        lses: float32 [parts, q, heads]; -inf where a part sees no key.
    """
    if len(outs) == 1:
        return outs[0], lses[0]
    lse = lses.logsumexp(dim=0)
    weights = (lses - _ground(lse)).exp()
    return (outs * weights[..., None]).sum(dim=0), lse


def _ground(lse: Tensor) -> Tensor:
    """What may be subtracted from scores: -inf - -inf would be nan."""
    return lse.masked_fill(lse == NOTHING, 0)
