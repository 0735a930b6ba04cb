"""SAVEMem (arXiv 2605.07897): three tiers, whole, changed, and anchors.

The newest steps are whole. A step that leaves them loses the tokens that its successor shows again
within one place, unless the scene changed between the two; those that are looked at are spared
longer. When memory is full, the oldest steps are thinned to a few anchors each, and at last go.

Deviations: the paper works on features before the language model, here keys without positions, of
all layers and heads, are compared; a step is compared with the one after it, which is still whole,
so that the newest picture of what stays the same is the one that is kept; in place of a bank of
questions the newest visual tokens ask; choosing steps by question is a reader's business.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar, Final, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from core.sending import sent
from memory.policies.clusters import clusters, nearest
from memory.policies.policy import Contents, MemoryPolicy, Observes, Retained
from memory.policies.ranking import received
from memory.policies.sink_window import newest_steps
from memory.table import SINK, TokenTable

_ALIKE: Final = 0.8  # cosine above which a token is shown again, whatever the others are
_SPARED: Final = 0.15  # how much more alike one must be that gets all the attention
_CUT: Final = 0.3  # mean cosine of a step below which the scene changed


@dataclass(frozen=True)
class SaveMem(MemoryPolicy):
    """Three tiers.

    Attributes:
        short: the newest steps that stay whole, what comes in included; one that goes is compared
            with the next, so at least 2, and more than come in at once.
        anchors: tokens of the picture that are left of a step in the long tier.
        watched: newest visual tokens whose queries spare what they look at.
    """

    short: int = 4
    anchors: int = 4
    watched: int = 16
    method: Literal["save_mem"] = "save_mem"
    observes: ClassVar[Observes] = Observes.NEWEST

    def __post_init__(self) -> None:
        if self.short < 2 or min(self.anchors, self.watched) < 1:
            raise ValueError("short is at least 2, anchors and watched at least 1")

    @property
    def queries(self) -> int:
        """See `MemoryPolicy.queries`."""
        return self.watched

    def retain(self, contents: Contents, incoming: TokenTable, limit: int) -> Retained | None:
        """See `MemoryPolicy.retain`."""
        tokens = contents.tokens
        groups = np.unique(tokens.group[~tokens.sink])
        came = len(np.unique(incoming.group[incoming.group != SINK]))
        leaving = groups[max(0, len(groups) - self.short) :][:came]
        gone = np.zeros(len(tokens), bool)
        features = _features(contents) if len(leaving) or len(tokens) > limit else None
        for group, after in pairwise(groups.tolist()):
            if features is not None and group in leaving:
                gone |= _repeated(contents, features, group, after)
        for group in groups[: len(groups) - max(0, self.short - came)]:
            if features is None or int((~gone).sum()) <= limit:
                break
            gone |= _but_anchors(tokens, features, int(group), self.anchors, gone)
        if not gone.any() and len(tokens) <= limit:
            return None
        known = contents.at_host
        stay = known.column(~gone) & known.filled
        rows = known.rows.masked_fill(~stay, -1)
        found = newest_steps(replace(known, rows=rows, host=rows), limit) or Retained(stay)
        return Retained(sent(found.stay, contents.rows.device))


def _features(contents: Contents) -> Tensor:
    """Bare keys of all layers and heads, of length 1, float32 [tokens, features]."""
    layers = range(contents.pool.shape.layers)
    keys = torch.cat([contents.bare_keys(layer) for layer in layers])  # [l * h, n, d]
    by_slot = F.normalize(keys.transpose(0, 1).flatten(1), dim=-1)
    return by_slot[torch.argsort(contents.rows[0, 0])]


def _repeated(contents: Contents, features: Tensor, group: int, after: int) -> NDArray[np.bool_]:
    """Visual tokens of a step that the one after it shows again, [tokens]."""
    tokens = contents.tokens
    gone = np.zeros(len(tokens), bool)
    own, other = (np.flatnonzero(tokens.visual & (tokens.group == g)) for g in (group, after))
    if not len(own) or not len(other):
        return gone
    places = tokens.positions[:, 1:] - tokens.positions[:, :1]
    near = (np.abs(places[own][:, None] - places[other][None]) <= 1).all(-1)
    mine, next_one = (features[sent(torch.from_numpy(x), features.device)] for x in (own, other))
    alike = (mine @ next_one.T).cpu().numpy()
    best = np.where(near, alike, 0.0).max(1)
    if best.mean() < _CUT:
        return gone
    limit = min(otsu(best), _ALIKE) + _SPARED * _attention(contents, own)
    gone[own[best > limit]] = True
    return gone


def _attention(contents: Contents, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """How much the observed queries look at each of these tokens, 0 to 1; 0 if they are alike."""
    if contents.observed is None:
        return np.zeros(len(rows))
    layers = range(contents.pool.shape.layers)
    scores = torch.stack([received(contents, layer) for layer in layers]).mean((0, 1))
    by_token = scores[torch.argsort(contents.rows[0, 0])].double().cpu().numpy()[rows]
    spread = by_token.max() - by_token.min()
    found: NDArray[np.float64] = (by_token - by_token.min()) / max(spread, 1e-12)
    return found


def _but_anchors(
    tokens: TokenTable,
    features: Tensor,
    group: int,
    count: int,
    gone: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Visual tokens of a step that stand in the middle of none of its clusters, [tokens]."""
    found = np.zeros(len(tokens), bool)
    own = np.flatnonzero(tokens.visual & (tokens.group == group) & ~gone)
    if len(own) <= count:
        return found
    points = features[sent(torch.from_numpy(own), features.device)]
    weights = points.new_ones(len(points))
    middle = nearest(points, weights, clusters(points, weights, count)).cpu().numpy()
    found[np.delete(own, middle)] = True
    return found


def otsu(values: NDArray[np.floating]) -> float:
    """The largest value of the lower of the two classes that lie farthest apart."""
    ordered = np.sort(values)
    below = np.arange(1, len(ordered))
    sums = np.cumsum(ordered)
    if not len(below):
        return float(ordered[-1])
    low, high = sums[:-1] / below, (sums[-1] - sums[:-1]) / (len(ordered) - below)
    between = below * (len(ordered) - below) * (high - low) ** 2
    # Equal values make one class: rounding alone must not part them.
    if ordered[-1] - ordered[0] < 1e-6:
        return float(ordered[-1])
    return float(ordered[int(between.argmax())])
