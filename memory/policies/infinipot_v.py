"""InfiniPot-V (arXiv 2506.15745): what differs from the recent steps, and what has large values.

When memory is full it is compressed, in every head of every layer, to a share of its capacity.
Recent steps stay whole. Of older ones stay those whose keys are least like the keys at the same
place of the picture in the recent steps (temporal redundancy, TaR), then those with the largest
values (VaN).

Deviations: places are told apart by row and column carried with every slot, where the released code
takes what is left for a full grid; keys are compared without their positions; a mark or a place
that no recent step holds is compared with all recent visual keys. The optional pooling of value
norms is not here (the release has it off).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from memory.policies.policy import Contents, MemoryPolicy, Retained
from memory.policies.ranking import best, check_target, recent, sums
from memory.table import TokenTable


@dataclass(frozen=True)
class InfiniPotV(MemoryPolicy):
    """TaR and VaN.

    Attributes:
        target: share of the limit that is left after compressing, within (0, 1].
        recent: share of it for the recent steps.
        redundancy: share of it for these and TaR together; VaN fills the rest.
    """

    target: float = 0.75
    recent: float = 0.25
    redundancy: float = 0.5
    method: Literal["infinipot_v"] = "infinipot_v"
    per_head: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_target(self.target)
        if not 0 <= self.recent <= self.redundancy <= 1:
            raise ValueError("0 <= recent <= redundancy <= 1")

    def retain(self, contents: Contents, incoming: TokenTable, limit: int) -> Retained | None:
        """See `MemoryPolicy.retain`."""
        if contents.most <= limit:
            return None
        sink = contents.sink
        left = contents.left(self.target, limit)
        stay = recent(contents, self.recent, left)
        by_redundancy = max(0, round(self.redundancy * left))
        room = (by_redundancy - stay.sum(-1)).clamp(min=0)
        stay = stay | best(_novelty(contents, stay), contents.filled & ~stay & ~sink, room)
        norms = torch.stack([contents.values(x).float().norm(dim=-1) for x in _layers(contents)])
        stay = stay | best(norms, contents.filled & ~stay & ~sink, left - stay.sum(-1))
        return Retained(stay | sink)


def _layers(contents: Contents) -> range:
    return range(len(contents.rows))


def _novelty(contents: Contents, among: Tensor) -> Tensor:
    """Minus the mean cosine with the recent keys at the same place, [l, h, n].

    Args:
        contents: what is held.
        among: which slots are recent, bool [l, h, n].
    """
    tokens = contents.tokens
    at = tokens.positions[:, 1:] - tokens.positions[:, :1]  # row and column
    at[~tokens.visual] = -1  # a mark stands at no place of the picture
    cells, numbers = np.unique(at, axis=0, return_inverse=True)
    count, places = len(cells), contents.column(numbers.reshape(-1))
    seen = contents.column(tokens.visual) & among
    found = []
    for layer in _layers(contents):
        keys, place = F.normalize(contents.bare_keys(layer), dim=-1), places[layer]  # [h, n, d]
        known = seen[layer].float()
        total = sums(keys, known, place, count)
        times = torch.zeros_like(total[..., 0]).scatter_add_(1, place, known)[..., None]
        anywhere = total.sum(1, keepdim=True) / times.sum(1, keepdim=True).clamp(min=1)
        mean = torch.where(times > 0, total / times.clamp(min=1), anywhere)
        # The mean of the cosines with several keys: the product with their mean.
        found.append(-(keys * mean.gather(1, place[..., None].expand_as(keys))).sum(-1))
    return torch.stack(found)
