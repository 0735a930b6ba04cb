"""How attention reads memory: two partial attentions merged by their log-sum-exp.

A query sees (A) a read-only view of a memory, all of it, in any slot order, and (B) its own
scratch, causally. Merging by log-sum-exp is exact: the result is the softmax over both together.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from memory.pool import PagePool
from memory.scratch import gather
from memory.view import View


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """One sequence's part of a packed forward."""

    start: int  # packed tokens [start, stop) are this sequence's
    stop: int
    memory: View | None  # read whole
    scratch: View  # read causally; its last stop - start slots are these tokens


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What one packed forward reads and writes; handed to every layer."""

    pool: PagePool
    spans: tuple[Span, ...]
    slots: Tensor  # int64 [tokens], flat slots where each packed token's keys and values go
    reader: Reader

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """Store the tokens' keys and values, then attend; [tokens, heads, head_dim].

        Args:
            layer: decoder layer.
            query: rotated, [tokens, heads, head_dim].
            key: rotated, [tokens, kv_heads, head_dim].
            value: [tokens, kv_heads, head_dim].
            scale: of the scores.
        """
        for store, fresh in ((self.pool.keys, key), (self.pool.values, value)):
            store[layer].flatten(0, 1)[self.slots] = fresh.to(store.dtype)
        return self.reader.read(self, layer, query, scale)


class Reader(ABC):
    """Computes the attention of a plan; backends differ only in speed."""

    @abstractmethod
    def read(self, plan: Plan, layer: int, query: Tensor, scale: float) -> Tensor:
        """Attention output of every packed token, [tokens, heads, head_dim]."""


class TorchReader(Reader):
    """The reference: gathers pages and computes in float32 with plain torch, on any device."""

    def read(self, plan: Plan, layer: int, query: Tensor, scale: float) -> Tensor:
        """See `Reader.read`."""
        out = torch.empty_like(query)
        for span in plan.spans:
            q = query[span.start : span.stop]
            keys, values = gather(plan.pool, layer, span.scratch)
            part, lse = partial_attention(q, keys, values, scale, causal=True)
            if span.memory is not None and span.memory.length:
                lengths = span.memory.lengths
                past = partial_attention(
                    q, *gather(plan.pool, layer, span.memory), scale,
                    causal=False, lengths=None if lengths is None else lengths[layer],
                )  # fmt: skip
                part, _ = merge(part, lse, *past)
            out[span.start : span.stop] = part.to(query.dtype)
        return out


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
        scores = scores.masked_fill(hidden.triu(k_len - q_len + 1), float("-inf"))
    if lengths is not None:
        unused = torch.arange(k_len, device=query.device) >= lengths[:, None]  # [kv_heads, k]
        scores = scores.masked_fill(unused[:, None, None], float("-inf"))
    lse = scores.logsumexp(dim=-1)  # [kv_heads, group, q]
    ground = lse.masked_fill(lse == float("-inf"), 0)  # -inf - -inf would be nan
    out = (scores - ground[..., None]).exp() @ value.float().transpose(0, 1)[:, None]
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
