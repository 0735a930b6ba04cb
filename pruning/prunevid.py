"""PruneVID (arXiv 2412.16117), its first stage: what stands is averaged over time, then clustered.

1. The mean tokens of the steps are clustered by density peaks into floor(windows * t) clusters, at
   least one, which `contiguous` turns into windows over time.
2. A place stands in a window if the mean cosine over all pairs of its steps is above tau; it
   becomes its mean over the window, at the window's first step. In a single step none stands.
3. Of the standing places of a window, and of the moving ones of each step, if there are more than
   14, density peaks keep floor(spatial * n); each becomes the mean of its cluster.
How many are kept follows from the scene. The second stage needs a question and is no part of this.

Online form, ours: segments are clustered alone, and what was emitted cannot be revised. A place
that still shows at the start of a segment what was last emitted of it (cosine above tau) is dropped
in that step, and for as long as it stands. Deviation: every step keeps at least the token that
changed most since the step before.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from pruning.density import centres, nearest
from pruning.merging import Flow, merged
from pruning.policy import Kept, PruningPolicy, Seen, Spending, State
from pruning.ranking import at_least_one, rows_of
from pruning.similarity import cosine, distance

FEW = 14  # places that are not worth clustering


@dataclass(frozen=True, slots=True, eq=False)
class Emitted:
    """What was last emitted of each place, as it was before clustering."""

    content: Tensor | None = None  # float32 [m, d]


@dataclass(frozen=True)
class PruneVID(PruningPolicy):
    """Keeps standing places once per window and clusters all that it keeps.

    Args:
        tau: mean cosine above which a place stands.
        windows: clusters of steps, as a share of the steps, in (0, 1].
        spatial: clusters of places, as a share of the places, in (0, 1].
    """

    tau: float = 0.8
    windows: float = 0.25
    spatial: float = 0.5
    method: Literal["prunevid"] = "prunevid"
    spending: ClassVar[Spending] = Spending.OWN
    stepwise: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for name in ("windows", "spatial"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in (0, 1], not {getattr(self, name)}")

    def start(self) -> State:
        """Nothing emitted."""
        return Emitted()

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`; the budget is not applied."""
        features, m = seen.features, seen.per_step
        before = features[0] if state.content is None else state.content
        covered = cosine(features[0], before) > self.tau
        if state.content is None:
            covered = torch.zeros_like(covered)
        mask = torch.zeros(seen.steps, m, dtype=torch.bool, device=features.device)
        flows: list[Flow] = []
        content = before
        for start, stop in self._bounds(features):
            window = features[start:stop]
            standing = togetherness(window) > self.tau
            old = covered if start == 0 else torch.zeros_like(covered)
            parts = [(window.mean(dim=0), standing & ~old, start, stop)]
            for step in range(start, stop):
                moving = ~standing & ~old if step == start else ~standing
                parts.append((features[step], moving, step, step + 1))
            for tokens, places, first, last in parts:
                anchors, flow = self._clustered(tokens, places, first, last)
                mask.view(-1)[anchors] = True
                flows += [flow] if flow is not None else []
            content = torch.where(standing[:, None], window.mean(dim=0), window[-1])
            if start == 0:
                stale = old & standing if len(window) > 1 else old
                content = torch.where(stale[:, None], before, content)
        changed = distance(features, torch.cat([before[None], features[:-1]]))
        rows = rows_of(at_least_one(mask, changed))
        return Kept(rows, Emitted(content.clone()), merged(rows, flows))

    def _bounds(self, features: Tensor) -> list[tuple[int, int]]:
        """[start, stop) of the windows of features [t, m, d]."""
        means = features.mean(dim=1)
        peaks = centres(means, max(int(self.windows * len(means)), 1))
        labels = contiguous(nearest(means, peaks).tolist())
        edges = [0, *(i for i in range(1, len(labels)) if labels[i] != labels[i - 1]), len(labels)]
        return list(pairwise(edges))

    def _clustered(
        self, tokens: Tensor, places: Tensor, start: int, stop: int
    ) -> tuple[Tensor, Flow | None]:
        """Rows that stand for some places of steps [start, stop), and what flows into them.

        Args:
            tokens: float32 [m, d], of each place, its mean over these steps.
            places: bool [m].
            start: the step at which they are kept.
            stop: the step after the last that flows into them.
        """
        m = len(tokens)
        here = places.nonzero()[:, 0]
        if not len(here):
            return here, None
        count = max(int(self.spatial * len(here)), 1) if len(here) > FEW else len(here)
        peaks = centres(tokens[here], count)
        cluster = nearest(tokens[here], peaks)
        anchors = here[peaks] + start * m
        if count == len(here) and stop - start == 1:
            return anchors, None
        weight = 1 / (cluster.bincount(minlength=count)[cluster] * (stop - start)).float()
        steps = torch.arange(start, stop, device=here.device)[:, None] * m
        flow = Flow(
            (steps + here).flatten(),
            anchors[cluster].repeat(stop - start),
            weight.repeat(stop - start),
        )
        return anchors, flow


def contiguous(labels: list[int]) -> list[int]:
    """Labels of steps made into few runs.

    Of every label only its longest runs stay, and none if they are of one step. What is between
    goes, from left to right, to the neighbour with the longer run, to the left one if both are as
    long. If nothing stays, all steps are one run.
    """
    runs = [[label, len(list(group))] for label, group in groupby(labels)]
    longest = {label: max(n for other, n in runs if other == label) for label, _ in runs}
    kept = [
        label if length > 1 and length == longest[label] else None
        for label, length in runs
        for _ in range(length)
    ]
    filled: list[int | None] = []
    for label, group in groupby(kept):
        length = len(list(group))
        if label is None:
            right = kept[len(filled) + length :]
            left_run = _run(filled[::-1])
            label = filled[-1] if left_run and left_run >= _run(right) else next(iter(right), None)
        filled += [label] * length
    return [0 if label is None else label for label in filled]


def _run(labels: list[int | None]) -> int:
    """How often the first of labels comes before another."""
    return len(list(next(groupby(labels))[1])) if labels else 0


def togetherness(window: Tensor) -> Tensor:
    """Mean cosine over all pairs of different steps, float32 [m]; of one step, -1."""
    steps = len(window)
    if steps == 1:
        return torch.full((window.shape[1],), -1.0, device=window.device)
    unit = F.normalize(window, dim=-1)
    pairs = unit.sum(dim=0).square().sum(dim=-1) - unit.square().sum(dim=(0, 2))
    return pairs / (steps * (steps - 1))
