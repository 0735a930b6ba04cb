"""FlashAttention's two entry points over pages, computed in plain torch with their own habits.

Same signatures, number formats, shapes and refusals as the real ones as far as we use them, down to
a log-sum-exp of +inf for queries that see no key.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.varlen import AuxRequest
from torch.nn.attention.varlen import varlen_attn as real_varlen_attn

from memory.readers.partial import NOTHING, partial_attention


def flash_attn_varlen_func(
    q: Tensor,  # [tokens, heads, head_dim]
    k: Tensor,  # [pages, page_size, kv_heads, head_dim]
    v: Tensor,
    cu_seqlens_q: Tensor,
    cu_seqlens_k: Tensor,
    max_seqlen_q: int,
    max_seqlen_k: int,
    *,
    softmax_scale: float,
    causal: bool = False,
    return_attn_probs: bool = False,
    block_table: Tensor,
) -> tuple[Tensor, Tensor, None]:
    """The package's function; output, log-sum-exp [heads, tokens], and no probabilities."""
    assert return_attn_probs, "without this the real one returns the output alone"
    assert cu_seqlens_k.dtype is torch.int32
    lengths = cu_seqlens_k.diff()
    out, lse = _attend(q, k, v, cu_seqlens_q, max_seqlen_q, max_seqlen_k, softmax_scale, causal,
                       lengths, block_table)  # fmt: skip
    return out, lse, None


def varlen_attn(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cu_seq_q: Tensor,
    cu_seq_k: Tensor | None,
    max_q: int,
    max_k: int,
    **options: Any,
) -> tuple[Tensor, Tensor]:
    """Torch's function; torch itself checks the call, on tensors without numbers."""
    assert cu_seq_k is None and options["return_aux"] == AuxRequest(lse=True)
    meta = {n: x.to("meta") if isinstance(x, Tensor) else x for n, x in options.items()}
    tensors = (x.to("meta") for x in (query, key, value, cu_seq_q))
    wanted, wanted_lse = real_varlen_attn(*tensors, None, max_q, max_k, **meta)
    causal = options["window_size"] == (-1, 0)
    out, lse = _attend(query, key, value, cu_seq_q, max_q, max_k, options["scale"], causal,
                       options["seqused_k"], options["block_table"])  # fmt: skip
    assert wanted.shape == out.shape and wanted.dtype == out.dtype
    assert wanted_lse.shape == lse.shape
    return out, lse


def _attend(
    q: Tensor, k: Tensor, v: Tensor, starts: Tensor, max_q: int, max_k: int, scale: float,
    causal: bool, lengths: Tensor, pages: Tensor,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    assert q.dtype in (torch.float16, torch.bfloat16) and q.dtype == k.dtype == v.dtype
    assert q.is_contiguous() and k.stride(-1) == 1
    assert k.shape[1] % 256 == 0, "pages must be divisible by 256"
    assert starts.dtype is lengths.dtype is pages.dtype is torch.int32
    assert len(starts) == len(lengths) + 1 == len(pages) + 1
    counts = starts.diff().tolist()
    assert max(counts) == max_q and int(lengths.max()) == max_k
    assert starts[-1] == len(q) and max_k <= pages.shape[1] * k.shape[1]
    outs, lses = [], []
    for tokens, length, table in zip(q.split(counts), lengths.tolist(), pages.long(), strict=True):
        keys, values = (x[table].flatten(0, 1)[:length] for x in (k, v))
        out, lse = partial_attention(tokens, keys, values, scale, causal=causal)
        outs.append(out)
        lses.append(lse.masked_fill(lse == NOTHING, float("inf")))
    return torch.cat(outs).to(q.dtype), torch.cat(lses).T.contiguous()
