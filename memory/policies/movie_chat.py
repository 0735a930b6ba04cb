"""MovieChat (arXiv 2307.16449): neighbours in time that look alike become one.

When memory is full, the most similar pair of neighbouring steps is merged, again and again, until
enough is free. Place by place of the picture the keys and values of a merged run are averaged, as
MA-LMM (arXiv 2404.05726) does with counts; its marks are those of its newest step.

Deviations: the papers merge features before the language model, here keys (without positions) and
values are; steps are compared by their mean visual key in all layers; a run that was merged in an
earlier round counts as one step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from core.sending import sent
from memory.policies.policy import Contents, MemoryPolicy, Retained, Summaries
from memory.policies.ranking import check_target
from memory.policies.sink_window import newest_steps
from memory.table import MERGED, TokenTable


@dataclass(frozen=True)
class MovieChat(MemoryPolicy):
    """Merges similar neighbours.

    Attributes:
        target: share of the limit that is left after compressing, within (0, 1].
    """

    target: float = 0.75
    method: Literal["movie_chat"] = "movie_chat"

    def __post_init__(self) -> None:
        check_target(self.target)

    def retain(self, contents: Contents, incoming: TokenTable, limit: int) -> Retained | None:
        """See `MemoryPolicy.retain`."""
        held = contents.most
        if held <= limit:
            return None
        goal = max(int(self.target * limit), int(contents.at_host.sink.sum(-1).max()))
        runs = _runs(contents, goal)
        if runs is None:  # even one step for all time is too much
            return newest_steps(contents, limit)
        return merged(contents, runs)


def merged(contents: Contents, runs: list[list[int]]) -> Retained:
    """What is left when each run of steps becomes one, which stands where its last stood.

    Args:
        contents: what is held.
        runs: groups of steps, at least one run of several.
    """
    several = [run for run in runs if len(run) > 1]
    tokens = contents.tokens
    last = np.array([run[-1] for run in several])
    gone = np.isin(tokens.group, [group for run in several for group in run[:-1]])
    gone |= np.isin(tokens.group, last) & tokens.visual
    return Retained(contents.column(~gone) & contents.filled, _averages(contents, several))


def _runs(contents: Contents, goal: int) -> list[list[int]] | None:
    """Runs of neighbouring steps to merge so that at most `goal` tokens are left; None: cannot."""
    tokens = contents.tokens
    groups = np.unique(tokens.group[~tokens.sink]).tolist()
    runs = [[group] for group in groups]
    cells = [cells_of(tokens, group) for group in groups]
    marks = [int(((tokens.group == group) & ~tokens.visual).sum()) for group in groups]
    means = step_means(contents, groups).cpu()  # [steps, features]; few, and asked again and again
    left = int(tokens.sink.sum()) + sum(map(len, cells)) + sum(marks)
    while left > goal and len(runs) > 1:
        alike = F.cosine_similarity(means[1:], means[:-1], dim=-1)
        at = int(alike.argmax())
        one, other = len(runs[at]), len(runs[at + 1])
        left -= len(cells[at]) + len(cells[at + 1]) + marks[at]
        cells[at : at + 2] = [cells[at] | cells[at + 1]]
        left += len(cells[at])
        marks.pop(at)
        mean = (one * means[at] + other * means[at + 1]) / (one + other)
        means = torch.cat([means[:at], mean[None], means[at + 2 :]])
        runs[at : at + 2] = [runs[at] + runs[at + 1]]
    return runs if left <= goal else None


def cells_of(tokens: TokenTable, group: int) -> set[tuple[int, int]]:
    """Row and column of the places of a step."""
    return set(map(tuple, _places(tokens)[(tokens.group == group) & tokens.visual].tolist()))


def _places(tokens: TokenTable) -> NDArray[np.int64]:
    """Row and column of every token within its picture, [n, 2]."""
    return tokens.positions[:, 1:] - tokens.positions[:, :1]


def step_means(contents: Contents, groups: list[int]) -> Tensor:
    """The mean bare visual key of each step in all layers and heads, [steps, features]."""
    tokens = contents.tokens
    known, device = contents.at_host, contents.rows.device  # all heads hold the same
    visual = known.column(tokens.visual & np.isin(tokens.group, groups))[0, 0]
    seen = (visual & known.filled[0, 0]).nonzero()[:, 0]
    step = known.column(np.searchsorted(groups, tokens.group).clip(0, len(groups) - 1))[0, 0, seen]
    counts = sent(torch.bincount(step, minlength=len(groups)).clamp(min=1), device)
    layers = range(contents.pool.shape.layers)
    bare = torch.cat([contents.bare_keys(layer) for layer in layers])
    keys = bare[:, sent(seen, device)]  # [l * h, v, d]
    sums = keys.new_zeros(len(groups), keys.shape[0], keys.shape[2])
    sums.index_add_(0, sent(step, device), keys.transpose(0, 1))
    return (sums / counts[:, None, None]).flatten(1)


def _averages(contents: Contents, runs: list[list[int]]) -> Summaries | None:
    """For each run one token per place of the picture, where its last step stands."""
    tokens, layers = contents.tokens, range(contents.pool.shape.layers)
    if contents.rotation is None:
        raise ValueError("this policy needs to know how the model turns its keys")
    order = contents.at_host.rows[0, 0].numpy()
    places = _places(tokens)
    sources: list[NDArray[np.int64]] = []
    targets: list[NDArray[np.int64]] = []
    made: list[TokenTable] = []
    for run in runs:
        rows = np.flatnonzero(np.isin(tokens.group, run) & tokens.visual)
        if not len(rows):
            continue
        at, number = np.unique(places[rows], axis=0, return_inverse=True)
        newest = rows[np.argmax(tokens.positions[rows, 0])]
        base = _base(tokens, run[-1], int(tokens.positions[newest, 0]))
        targets.append(number.reshape(-1) + sum(len(table) for table in made))
        sources.append(rows)
        made.append(
            TokenTable(
                base + np.concatenate([np.zeros((len(at), 1), np.int64), at], axis=1),
                np.full(len(at), run[-1], np.int64),
                np.full(len(at), float(tokens.time[tokens.group == run[-1]][0])),
                np.full(len(at), MERGED, np.int8),
            )
        )
    if not made:
        return None
    table = made[0]
    for more in made[1:]:
        table = table.joined(more)
    device, into = contents.rows.device, torch.from_numpy(np.concatenate(targets))
    chosen = torch.from_numpy(np.argsort(order)[np.concatenate(sources)])  # all heads hold the same
    slot, target = sent(chosen, device), sent(into, device)
    counts = sent(torch.bincount(into, minlength=len(table))[:, None], device)

    def average(x: Tensor) -> Tensor:  # [h, n, d] to [h, made, d]
        sums = torch.zeros(len(x), len(table), x.shape[-1], device=x.device)
        return sums.index_add_(1, target, x[:, slot].float()) / counts

    keys = torch.stack([average(contents.bare_keys(layer)) for layer in layers])
    values = torch.stack([average(contents.values(layer)) for layer in layers])
    return Summaries(contents.rotation.put(keys, torch.from_numpy(table.positions)), values, table)


def _base(tokens: TokenTable, group: int, otherwise: int) -> int:
    """Where the picture of a step begins; of a step without one, `otherwise`."""
    own = tokens.positions[(tokens.group == group) & tokens.visual, 0]
    return int(own.max()) if len(own) else otherwise
