"""Parts that several policies share: which steps are recent, and the best of each head."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from memory.policies.policy import Contents


def check_target(target: float) -> None:
    """Refuse a share of the limit that cannot be what is left after compressing.

    Raises:
        ValueError: if it is not in (0, 1].
    """
    if not 0 < target <= 1:
        raise ValueError(f"target lies in (0, 1], not {target}")


def recent(contents: Contents, share: float, limit: int) -> Tensor:
    """Slots of the most recent steps that may stay whole, bool [l, h, n].

    Args:
        contents: what is held.
        share: of `limit` that they may take, 0 to 1; a first step that takes more is not split.
        limit: tokens per head, the sink not counted.
    """
    group = contents.tokens.group
    groups, sizes = np.unique(group[~contents.tokens.sink], return_counts=True)
    room = np.cumsum(sizes[::-1]) <= share * limit
    if not room.any():
        return torch.zeros_like(contents.filled)
    first = groups[::-1][room.nonzero()[0][-1]]
    return contents.column(group >= first) & contents.filled


def best(scores: Tensor, candidates: Tensor, count: Tensor) -> Tensor:
    """The highest scores of each head among its candidates; of equal ones the earlier slot.

    Args:
        scores: [l, h, n].
        candidates: bool [l, h, n].
        count: how many, int64 [l, h]; all candidates where there are fewer.

    Returns:
        bool [l, h, n].
    """
    rank = ranks(-scores.masked_fill(~candidates, -torch.inf))
    chosen: Tensor = (rank < count[..., None]) & candidates
    return chosen


def ranks(values: Tensor) -> Tensor:
    """The place of each value in its head's increasing order, of equal ones by slot, [l, h, n]."""
    order = torch.sort(values, dim=-1, stable=True).indices
    places = torch.arange(values.shape[-1], device=values.device).expand_as(order)
    return torch.empty_like(order).scatter_(-1, order, places)


def received(contents: Contents, layer: int) -> Tensor:
    """How much attention each slot would get from the observed queries, float32 [kv_heads, n].

    The softmax runs over what the memory holds; the mean is over queries and over the query heads
    that share a head of keys. Where nothing was asked, nobody gets any.

    Raises:
        ValueError: if nothing was observed.
    """
    if contents.observed is None:
        raise ValueError("this policy needs observed queries")
    keys = contents.keys(layer).float()  # [kv_heads, n, d]
    query = contents.observed.queries(layer).float()  # [q, heads, d]
    kv_heads, n, d = keys.shape
    if not len(query):
        return keys.new_zeros(kv_heads, n)
    grouped = query.view(len(query), kv_heads, -1, d).permute(1, 2, 0, 3).flatten(1, 2)
    filled = contents.filled[min(layer, len(contents.rows) - 1)]  # [kv_heads or 1, n]
    scores = grouped @ keys.mT * d**-0.5  # [kv_heads, group * q, n]
    weights: Tensor = scores.masked_fill(~filled[:, None], -torch.inf).softmax(-1)
    return weights.mean(1)


def agreed(scores: Tensor, contents: Contents) -> Tensor:
    """Scores averaged over the heads of a layer, token by token, so that its heads agree.

    Args:
        scores: [l, h, n]; what a head does not hold counts as 0 there.
        contents: what is held.

    Returns:
        [l, h, n].
    """
    layers, heads, _ = scores.shape
    rows = contents.rows.clamp(min=0).flatten(1)
    sums = torch.zeros(layers, len(contents.tokens), device=scores.device)
    sums.scatter_add_(1, rows, (scores * contents.filled).flatten(1).float())
    return sums.gather(1, rows).view_as(scores) / heads


def minmax(scores: Tensor, among: Tensor) -> Tensor:
    """Scores moved to 0 to 1 in each head, over the slots in `among`; 0 where all are alike."""
    low = scores.masked_fill(~among, torch.inf).amin(-1, keepdim=True)
    high = scores.masked_fill(~among, -torch.inf).amax(-1, keepdim=True)
    return ((scores - low) / (high - low).clamp(min=1e-12)).clamp(0, 1)


def sums(x: Tensor, share: Tensor, place: Tensor, count: int) -> Tensor:
    """Weighted sums by place: x [h, n, d], share and place [h, n] to [h, count, d]."""
    found = torch.zeros(len(x), count, x.shape[-1], device=x.device)
    return found.scatter_add_(1, place[..., None].expand_as(x), x * share[..., None])
