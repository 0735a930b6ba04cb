"""VideoScan (arXiv 2503.09387): of every step but the newest one carrier is left.

A step that is no longer recent is given up for the mean of its visual keys (without positions) and
values, put at the middle of its picture. When even carriers are too many, of the two neighbours in
time that are most alike the older goes.

Deviations: the paper trains a model to gather a frame in a token of its own, here nothing is
trained and the mean is taken after the language model; a few steps stay whole; timestamps go with
their steps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from core.sending import sent
from memory.policies.policy import Contents, MemoryPolicy, Retained, Summaries
from memory.policies.stream_mem import prototypes
from memory.table import SINK, SUMMARY, TokenTable


@dataclass(frozen=True)
class VideoScanCarriers(MemoryPolicy):
    """One carrier per step.

    Attributes:
        whole: the newest steps that stay whole, what comes in included.
    """

    whole: int = 2
    method: Literal["video_scan"] = "video_scan"

    def __post_init__(self) -> None:
        if self.whole < 1:
            raise ValueError(f"at least 1 step stays whole, not {self.whole}")

    def retain(self, contents: Contents, incoming: TokenTable, limit: int) -> Retained | None:
        """See `MemoryPolicy.retain`."""
        tokens = contents.tokens
        left = self.whole - len(np.unique(incoming.group[incoming.group != SINK]))
        first = _first_whole(tokens, left, limit)
        carrier, old = tokens.kind == SUMMARY, ~tokens.sink & (tokens.group < first)
        if not (old & ~carrier).any() and len(tokens) <= limit:
            return None
        seen = np.unique(tokens.group[old & ~carrier & tokens.visual])
        made = _carriers(contents, seen) if len(seen) else None
        room = limit - int((~old).sum())
        groups = np.concatenate([tokens.group[old & carrier], seen])
        kept = _unlike(groups, _features(contents, old & carrier, made), room)
        stays = ~old | (carrier & np.isin(tokens.group, kept))
        return Retained(contents.column(stays) & contents.filled, _chosen(made, kept))


def _first_whole(tokens: TokenTable, left: int, limit: int) -> int:
    """The first of at most `left` steps held that stay whole within the limit."""
    groups = np.unique(tokens.group[~tokens.sink])
    for first in groups[max(0, len(groups) - max(0, left)) :].tolist():
        if int((tokens.sink | (tokens.group >= first)).sum()) <= limit:
            return int(first)
    return int(groups[-1]) + 1 if len(groups) else 0


def _carriers(contents: Contents, groups: NDArray[np.int64]) -> Summaries:
    shape = contents.pool.shape
    rows = contents.rows.expand(shape.layers, shape.kv_heads, -1)
    each = replace(contents, rows=rows, host=None)
    return prototypes(each, torch.ones_like(rows, dtype=torch.float32), groups)


def _features(contents: Contents, held: NDArray[np.bool_], made: Summaries | None) -> Tensor:
    """Bare keys of carriers in all layers and heads, held ones first, [carriers, features]."""
    rows = np.flatnonzero(held)
    slots = torch.from_numpy(np.argsort(contents.at_host.rows[0, 0].numpy())[rows])
    there = sent(slots, contents.rows.device)
    layers = range(contents.pool.shape.layers)
    keys = torch.stack([contents.bare_keys(layer)[:, there] for layer in layers])
    if made is not None:
        assert contents.rotation is not None, "or nothing could have been made"
        at = torch.from_numpy(made.tokens.positions)
        keys = torch.cat([keys, contents.rotation.take(made.keys, at)], dim=2)
    return keys.permute(2, 0, 1, 3).flatten(1)


def _unlike(groups: NDArray[np.int64], features: Tensor, room: int) -> NDArray[np.int64]:
    """The steps whose carriers stay: the older of the most similar neighbours goes first."""
    order = np.argsort(groups)
    groups, features = groups[order], features[sent(torch.from_numpy(order), features.device)]
    while len(groups) > max(0, room):
        alike = F.cosine_similarity(features[1:], features[:-1], dim=-1)
        at = int(alike.argmax()) if len(alike) else 0
        groups = np.delete(groups, at)
        features = torch.cat([features[:at], features[at + 1 :]])
    return groups


def _chosen(made: Summaries | None, groups: NDArray[np.int64]) -> Summaries | None:
    if made is None:
        return None
    chosen = np.flatnonzero(np.isin(made.tokens.group, groups))
    at = sent(torch.from_numpy(chosen), made.keys.device)
    return Summaries(made.keys[:, :, at], made.values[:, :, at], made.tokens.rows(chosen))
