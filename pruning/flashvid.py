"""FlashVID (arXiv 2602.08024), its outer part: diverse attended tokens, trees of the others.

Scenes are cut where the mean token's cosine to the step before is below `cut` (`pruning.scenes`).
1. Of the k tokens of a step, ceil(alpha * k) by greedy max-min (`pruning.maxmin`), each distance
   multiplied by the attention that the token receives in the last vision block and by its
   relevance: the mean of its dot products with the mean tokens of the scene's steps.
2. Every other token links to the token of the step before, within the scene, that is most like it,
   if their cosine is above `link`; linked tokens are trees, each of which becomes its mean at its
   root. If that leaves fewer trees than the budget has tokens, the weakest links are not made.
3. Within every step the roots are thinned to the budget's rest by density peaks; a cluster becomes
   the mean of its trees.

Deviations: tokens chosen in 1 take no part in 2 and 3, and a tree is the mean of all its tokens
(the released code divides by the direct children, and chooses again among the chosen in scenes of
one step). The total is exact: no 1.25 more for a later stage inside the language model, which is no
part of this file, and clusters per step by largest remainder. At least eight scenes are not forced
(see `pruning.scenes`). A negative relevance counts as none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from pruning.budget import split_evenly
from pruning.density import centres, nearest
from pruning.maxmin import farthest
from pruning.merging import Flow, merged
from pruning.policy import Kept, PruningPolicy, Seen, State
from pruning.ranking import best
from pruning.scenes import scenes


@dataclass(frozen=True)
class FlashVID(PruningPolicy):
    """Keeps diverse attended tokens of every step and merges the others over time and space.

    Args:
        cut: cosine of mean tokens below which a scene ends.
        alpha: share of the budget that is chosen and not merged, in (0, 1].
        link: cosine above which a token joins a tree.
        relevance: whether relevance to the scene is multiplied in, as in the released wrapper.
    """

    cut: float = 0.9
    alpha: float = 0.7
    link: float = 0.8
    relevance: bool = True
    method: Literal["flashvid"] = "flashvid"
    stepwise: ClassVar[bool] = False
    needs_attention: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 < self.alpha <= 1:
            raise ValueError(f"alpha must lie in (0, 1], not {self.alpha}")

    @classmethod
    def variants(cls) -> tuple[Self, ...]:
        """With and without relevance."""
        return cls(), cls(relevance=False)

    def decide(self, seen: Seen, budget: int, state: State) -> Kept:
        """See `PruningPolicy.decide`."""
        counts = split_evenly(budget, seen.steps)
        chosen: list[Tensor] = []
        flows: list[Flow] = []
        for start, stop in scenes(seen.features, self.cut):
            scene, offset = seen.features[start:stop], start * seen.per_step
            mask = self._chosen(scene, seen.received[start:stop], counts[start:stop])
            chosen.append(mask.view(-1).nonzero()[:, 0] + offset)
            rest = sum(counts[start:stop]) - int(mask.sum())
            if rest:
                anchors, flow = self.trees(scene, ~mask, rest)
                chosen.append(anchors + offset)
                flows.append(Flow(flow.source + offset, flow.anchor + offset, flow.weight))
        rows = torch.cat(chosen).sort().values
        return Kept(rows, state, merged(rows, flows))

    def _chosen(self, scene: Tensor, attention: Tensor, counts: list[int]) -> Tensor:
        """What is kept as it is, bool [w, m]."""
        means = scene.mean(dim=1)  # [w, d]
        mask = torch.zeros(scene.shape[:2], dtype=torch.bool, device=scene.device)
        for step, count in enumerate(counts):
            weights = attention[step]
            if self.relevance:
                weights = weights * (scene[step] @ means.T).mean(dim=1).clamp(min=0)
            share = math.ceil(self.alpha * count - 1e-9)
            mask[step, farthest(scene[step], share, weights=weights)] = True
        return mask

    def trees(self, scene: Tensor, free: Tensor, count: int) -> tuple[Tensor, Flow]:
        """Anchors of `count` merged tokens in a scene, and what flows into each.

        Args:
            scene: float32 [w, m, d].
            free: bool [w, m], what may be merged; at least `count`.
            count: merged tokens wanted, at least 1.
        """
        steps, m = free.shape
        roots = plant(scene, free, self.link, int(free.sum()) - count)  # [w, m]
        members = free.view(-1).nonzero()[:, 0]
        flat, at = scene.flatten(0, 1), roots.view(-1)[members]
        size = at.bincount(minlength=steps * m)
        total = torch.zeros_like(flat).index_add_(0, at, flat[members])
        anchor = torch.full_like(size, -1)  # of each root, where its cluster ends up
        anchors = []
        weight = torch.zeros(steps * m, device=scene.device)  # of each token of the root's tree
        standing = list((size > 0).view(steps, m))
        for step, part in enumerate(_shares([int(s.sum()) for s in standing], count)):
            if part == 0:
                continue
            here = standing[step].nonzero()[:, 0] + step * m
            trees = total[here] / size[here, None]
            peaks = centres(trees, part)
            cluster = nearest(trees, peaks)
            anchors.append(here[peaks])
            anchor[here] = here[peaks][cluster]
            weight[here] = 1 / (cluster.bincount(minlength=part)[cluster] * size[here]).float()
        kept = anchor[at] >= 0
        flow = Flow(members[kept], anchor[at][kept], weight[at][kept])
        return torch.cat(anchors), flow


def plant(scene: Tensor, free: Tensor, link: float, most: int) -> Tensor:
    """The row of the root of each free token's tree, int64 [w, m]; of others their own.

    Args:
        scene: float32 [w, m, d].
        free: bool [w, m].
        link: cosine above which a token links to the one most like it in the step before.
        most: links that may be made, the strongest.
    """
    steps, m = free.shape
    unit = F.normalize(scene, dim=-1)
    strength = torch.full((steps, m), -math.inf, device=scene.device)
    partner = torch.zeros((steps, m), dtype=torch.int64, device=scene.device)
    for step in range(1, steps):
        alike = (unit[step] @ unit[step - 1].T).masked_fill(~free[step - 1], -math.inf)
        strength[step], partner[step] = alike.max(dim=1)
    linked = free & (strength > link)
    if int(linked.sum()) > most:
        strongest = best(strength.masked_fill(~linked, -math.inf).view(-1), most)
        linked = torch.zeros_like(linked)
        linked.view(-1)[strongest] = True
    roots = torch.arange(steps * m, device=scene.device).view(steps, m)
    for step in range(1, steps):
        roots[step] = torch.where(linked[step], roots[step - 1][partner[step]], roots[step])
    return roots


def _shares(sizes: list[int], count: int) -> list[int]:
    """`count` in proportion to sizes, by largest remainder; the earlier wins a tie."""
    total = sum(sizes)
    shares = [size * count // total for size in sizes]
    order = sorted(range(len(sizes)), key=lambda i: -(sizes[i] * count % total))
    for i in order[: count - sum(shares)]:
        shares[i] += 1
    return shares
