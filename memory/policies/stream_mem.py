"""StreamMem (arXiv 2508.15717): what a question that nobody asked yet would look at.

When memory is full, the words that open every answer are put to it as a proxy question. What gets
most attention from them stays, jointly over all that is held, each layer by itself; a step that
loses tokens leaves a prototype, its keys and values averaged by that attention.

Deviations: the merging of nearly equal frames before encoding belongs to pruning; positions are
kept without scaling; a step gets one prototype at most, made when it first loses something and as
long as every head holds some of its picture, and later prototypes compete like any token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memory.policies.policy import Contents, MemoryPolicy, Observes, Retained, Summaries
from memory.policies.ranking import agreed, best, check_target, received, sums
from memory.table import SUMMARY, TokenTable

_PROXY = 8  # queries: the words that open an answer are fewer
_PROTOTYPES = 0.5  # of what is left they may take at most


@dataclass(frozen=True)
class StreamMem(MemoryPolicy):
    """Proxy attention and prototypes.

    Attributes:
        target: share of the limit that is left after compressing, within (0, 1].
        prototypes: whether steps that lose tokens leave a prototype.
    """

    target: float = 0.75
    prototypes: bool = True
    method: Literal["stream_mem"] = "stream_mem"
    per_head: ClassVar[bool] = True
    observes: ClassVar[Observes] = Observes.PROXY

    def __post_init__(self) -> None:
        check_target(self.target)

    @property
    def queries(self) -> int:
        """See `MemoryPolicy.queries`."""
        return _PROXY

    def retain(self, contents: Contents, incoming: TokenTable, limit: int) -> Retained | None:
        """See `MemoryPolicy.retain`."""
        if contents.most <= limit:
            return None
        layers = range(len(contents.rows))
        by_head = torch.stack([received(contents, layer) for layer in layers])  # [l, h, n]
        scores = agreed(by_head, contents)
        sink = contents.sink
        left = contents.left(self.target, limit)
        losing = self._losing(contents, scores, left) if self.prototypes else np.empty(0, np.int64)
        count = torch.full_like(contents.rows[..., 0], left - len(losing))
        stay = best(scores, contents.filled & ~sink, count) | sink
        return Retained(stay, prototypes(contents, by_head, losing) if len(losing) else None)

    def _losing(self, contents: Contents, scores: Tensor, left: int) -> NDArray[np.int64]:
        """Steps without a prototype that would lose tokens, the newest if they are too many."""
        tokens = contents.tokens
        count = torch.full_like(contents.rows[..., 0], left)
        going = contents.filled & ~contents.sink
        going = going & ~best(scores, going, count)
        lost = (going & contents.column(tokens.visual)).cpu()
        losing = np.unique(tokens.group[contents.at_host.rows[lost].numpy()])
        losing = np.setdiff1d(losing, tokens.group[tokens.kind == SUMMARY])
        losing = losing[_everywhere(contents, losing)]
        most = int(_PROTOTYPES * left)
        return losing[max(0, len(losing) - most) :]


def _everywhere(contents: Contents, groups: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Of which steps each head still holds a visual token: without one it has nothing to average.

    Args:
        contents: what is held.
        groups: the steps, increasing, [s].
    """
    group, known = contents.tokens.group, contents.at_host
    shown = np.isin(group, groups) & contents.tokens.visual
    part = known.column(shown) & known.filled
    place = known.column(np.searchsorted(groups, group)).where(part, len(groups))
    counts = place.new_zeros(*place.shape[:2], len(groups) + 1)
    counts.scatter_add_(2, place, torch.ones_like(place))
    held: NDArray[np.bool_] = (counts[..., :-1] > 0).flatten(0, 1).all(0).numpy()
    return held


def prototypes(contents: Contents, weights: Tensor, groups: NDArray[np.int64]) -> Summaries:
    """One token for each step: the weighted mean of what every head holds of its picture.

    Keys are averaged without their positions and put at the middle of the step's picture.

    Args:
        contents: what is held.
        weights: not negative, [l, h, n].
        groups: the steps, each with a visual token in every head, [s].

    Raises:
        ValueError: if the memory was not told how keys are turned.
    """
    tokens = contents.tokens
    if contents.rotation is None:
        raise ValueError("this policy needs to know how the model turns its keys")
    place = contents.column(np.searchsorted(groups, tokens.group).clip(max=len(groups) - 1))
    part = contents.column(np.isin(tokens.group, groups) & tokens.visual) & contents.filled
    rows = [np.flatnonzero((tokens.group == group) & tokens.visual) for group in groups]
    positions = np.stack([tokens.positions[r].mean(0).round().astype(np.int64) for r in rows])
    share = (weights + 1e-12) * part
    totals = share.new_zeros(*share.shape[:2], len(groups)).scatter_add_(2, place, share)
    share = share / totals.gather(2, place).clamp(min=1e-30)
    keys, values = [], []
    for layer in range(contents.pool.shape.layers):
        k, v = contents.bare_keys(layer), contents.values(layer).float()
        keys.append(sums(k, share[layer], place[layer], len(groups)))
        values.append(sums(v, share[layer], place[layer], len(groups)))
    return Summaries(
        contents.rotation.put(torch.stack(keys), torch.from_numpy(positions)),
        torch.stack(values),
        TokenTable(
            positions,
            groups,
            np.array([tokens.time[r[0]] for r in rows]),
            np.full(len(groups), SUMMARY, np.int8),
        ),
    )
