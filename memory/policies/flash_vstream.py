"""Flash-VStream's context memory (arXiv 2506.23825): steps that look alike become one.

When memory is full, all but the recent steps are grouped by k-means over their mean visual keys,
into as many clusters as there is room for; each becomes one step, its places averaged, at the time
of its member nearest to the middle. Unlike MovieChat's, the steps of a cluster need not be
neighbours: what comes back is recognised.

Deviations: the paper clusters features of small pictures before the language model, here keys
(without positions) and values are merged at full size; its detail memory, real pictures of the
heaviest clusters, is the recent share instead; how many steps an earlier round merged into each is
not kept, so those that vanished weigh alike on all that were merged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from core.sending import sent
from memory.policies.clusters import clusters, nearest
from memory.policies.movie_chat import cells_of, merged, step_means
from memory.policies.policy import Contents, MemoryPolicy, Retained
from memory.policies.ranking import check_target, recent
from memory.policies.sink_window import newest_steps
from memory.table import MERGED, TokenTable


@dataclass(frozen=True)
class FlashVStream(MemoryPolicy):
    """Clusters of steps.

    Attributes:
        target: share of the limit that is left after compressing, within (0, 1].
        recent: share of the limit for the recent steps, which stay whole.
    """

    target: float = 0.75
    recent: float = 0.25
    method: Literal["flash_vstream"] = "flash_vstream"

    def __post_init__(self) -> None:
        check_target(self.target)
        if not 0 <= self.recent < 1:
            raise ValueError("recent in [0, 1)")

    def retain(self, contents: Contents, incoming: TokenTable, limit: int) -> Retained | None:
        """See `MemoryPolicy.retain`."""
        if contents.most <= limit:
            return None
        tokens = contents.tokens
        sink = int(tokens.sink.sum())
        known = contents.at_host
        whole = recent(known, self.recent, limit - sink)
        kept = np.unique(tokens.group[known.rows[whole].numpy()])
        groups = np.setdiff1d(tokens.group[~tokens.sink], kept).tolist()
        room = max(int(self.target * limit), sink) - sink - int(whole.sum())
        runs = _runs(contents, groups, room)
        return newest_steps(contents, limit) if runs is None else merged(contents, runs)


def _runs(contents: Contents, groups: list[int], room: int) -> list[list[int]] | None:
    """The finest clusters found that fit, the member that stands for each last; None: none do."""
    if not groups:
        return None
    points, weights = step_means(contents, groups), _weights(contents.tokens, groups)
    weights = sent(weights, points.device)
    found, low, high = None, 1, len(groups) - 1
    while low <= high:
        count = (low + high) // 2
        runs = _clustered(points, weights, groups, count)
        if sum(_size(contents.tokens, run) for run in runs) <= room:
            found, low = runs, count + 1
        else:
            high = count - 1
    return found


def _clustered(points: Tensor, weights: Tensor, groups: list[int], count: int) -> list[list[int]]:
    labels = clusters(points, weights, count)
    both = torch.cat([labels, nearest(points, weights, labels)]).tolist()  # one wait
    label, middle = both[: len(groups)], both[len(groups) :]
    members = [[i for i, of in enumerate(label) if of == number] for number in range(len(middle))]
    return [
        [*(groups[i] for i in own if i != at), groups[at]]
        for own, at in zip(members, middle, strict=True)
    ]


def _weights(tokens: TokenTable, groups: list[int]) -> Tensor:
    """How many steps of the stream each stands for, as far as can be told, [steps]."""
    past = np.isin(groups, tokens.group[tokens.kind == MERGED])
    vanished = int(tokens.group.max()) + 1 - len(np.unique(tokens.group[~tokens.sink]))
    return torch.from_numpy(1 + past * (vanished / max(1, int(past.sum())))).float()


def _size(tokens: TokenTable, run: list[int]) -> int:
    """Tokens that are left of it: all its places, and the marks of the last."""
    places = set().union(*(cells_of(tokens, group) for group in run))
    return len(places) + int(((tokens.group == run[-1]) & ~tokens.visual).sum())
