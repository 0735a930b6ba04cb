"""HERMES (arXiv 2601.14724): layers remember differently, by how deep they are.

When memory is full, shallow layers keep what is recent, deep ones what a guiding question would
look at, and those between a mix that leans on recency less the deeper they are. Scores flow from
deep to shallow, so that neighbours agree. What goes leaves one summary behind.

Deviations: the paper summarises in deep layers only, here every layer gets the summary, which costs
one slot; the guiding question is the one that the engine puts; positions stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Literal

import numpy as np
import torch
from torch import Tensor

from memory.policies.policy import Contents, MemoryPolicy, Observes, Retained, Summaries
from memory.policies.ranking import agreed, best, check_target, minmax, received
from memory.table import SUMMARY, TokenTable

SHALLOW: Final = 0.1  # of all layers
DEEP: Final = 0.3
_RECENCY: Final = 20.0  # k of exp(-k dt), dt from 0 to 1
_LEAN: Final = (0.75, 0.6)  # weight of recency in the first middle layer, and how much it falls
_FLOW: Final = (0.1, 0.3, 0.4)  # from the next layer, in shallow, middle and deep layers


@dataclass(frozen=True)
class Hermes(MemoryPolicy):
    """Recency above, guidance below.

    Attributes:
        target: share of the limit that is left after compressing, within (0, 1].
        summarise: whether what goes leaves a summary.
    """

    target: float = 0.75
    summarise: bool = True
    method: Literal["hermes"] = "hermes"
    per_head: ClassVar[bool] = True
    observes: ClassVar[Observes] = Observes.PROXY

    def __post_init__(self) -> None:
        check_target(self.target)

    @property
    def queries(self) -> int:
        """See `MemoryPolicy.queries`."""
        return 8

    def retain(self, contents: Contents, incoming: TokenTable, limit: int) -> Retained | None:
        """See `MemoryPolicy.retain`."""
        if contents.most <= limit:
            return None
        sink = contents.sink
        left = contents.left(self.target, limit)
        summaries = self.summarise and left > 0
        count = torch.full_like(contents.rows[..., 0], left - summaries)
        stay = best(scores(contents), contents.filled & ~sink, count) | sink
        return Retained(stay, _summary(contents, contents.filled & ~stay) if summaries else None)


def scores(contents: Contents) -> Tensor:
    """How much each layer wants to keep each token, [l, h, n]; heads of a layer agree."""
    layers = len(contents.rows)
    among = contents.filled & ~contents.sink
    attention = agreed(torch.stack([received(contents, x) for x in range(layers)]), contents)
    attention = minmax(attention, among)
    recency = _recency(contents, among)
    wanted = [
        (1 - lean) * a + lean * r
        for lean, a, r in zip(leanings(layers), attention, recency, strict=True)
    ]
    for layer in range(layers - 2, -1, -1):
        flow = _FLOW[_depth(layer, layers)]
        below = _moved(contents, wanted[layer + 1], layer)
        wanted[layer] = (1 - flow) * wanted[layer] + flow * below.where(
            below.isfinite(), wanted[layer]
        )
    return torch.stack(wanted)


def leanings(layers: int) -> list[float]:
    """The weight of recency in each layer: 1 in shallow ones, 0 in deep ones, falling between."""
    depths = [_depth(layer, layers) for layer in range(layers)]
    middle = max(1, depths.count(1) - 1)
    first = depths.index(1) if 1 in depths else 0
    fall = [_LEAN[0] - _LEAN[1] * (layer - first) / middle for layer in range(layers)]
    return [(1.0, lean, 0.0)[depth] for depth, lean in zip(depths, fall, strict=True)]


def _depth(layer: int, layers: int) -> int:
    """0 shallow, 1 middle, 2 deep; at least one layer is deep."""
    if layer < round(SHALLOW * layers):
        return 0
    return 2 if layer >= layers - max(1, round(DEEP * layers)) else 1


def _recency(contents: Contents, among: Tensor) -> Tensor:
    at = contents.column(contents.tokens.positions[:, 0]).double()
    return torch.exp(-_RECENCY * (1 - minmax(at, among))).float()


def _moved(contents: Contents, below: Tensor, layer: int) -> Tensor:
    """Scores of the next layer at the tokens of this one, [h, n]; NaN where it holds them not."""
    known = torch.full((len(below), len(contents.tokens) + 1), torch.nan, device=below.device)
    rows = contents.rows[layer + 1]
    known.scatter_(1, rows.where(rows >= 0, len(contents.tokens)), below)
    known[:, -1] = torch.nan
    return known.gather(1, contents.rows[layer].clamp(min=0))


def _summary(contents: Contents, gone: Tensor) -> Summaries | None:
    """The mean of what each head gives up, at the place of the newest of it."""
    if contents.rotation is None:
        raise ValueError("this policy needs to know how the model turns its keys")
    rows = np.unique(contents.at_host.rows[gone.cpu()].numpy())
    tokens = contents.tokens
    newest = rows[np.argmax(tokens.positions[rows, 0])]
    share = gone / gone.sum(-1, keepdim=True).clamp(min=1)  # [l, h, n]
    layers = range(len(contents.rows))
    keys = [(contents.bare_keys(x) * share[x][..., None]).sum(1) for x in layers]
    values = [(contents.values(x).float() * share[x][..., None]).sum(1) for x in layers]
    at = tokens.positions[newest : newest + 1]
    return Summaries(
        contents.rotation.put(torch.stack(keys)[:, :, None], torch.from_numpy(at)),
        torch.stack(values)[:, :, None],
        TokenTable(
            at,
            tokens.group[newest : newest + 1],
            tokens.time[newest : newest + 1],
            np.full(1, SUMMARY, np.int8),
        ),
    )
