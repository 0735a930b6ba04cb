"""EMCompress: the contiguous stretches of a stream that a question is about, and nothing else.

ReSimplifyIt turns a video and a question into a shorter video, a union of contiguous stretches, on
which the answer is the same. Its key frames come from clusters over time: a frame whose cosine with
the cluster before it is below 0.85 begins another, neighbouring clusters above 0.98 are one, and
there are 10 to 15 of them. This file does that on the bank: steps are their mean tokens, scenes are
such clusters, more than `most` are merged where neighbours are most alike. A scene is as close to
the question as the closest of its tokens is, by cosine with the mean of the question's embeddings.
Scenes are read whole, the closest first; of the first that the budget does not cover, the tokens
closest to the question are, and no other.

Deviations: the published roles (a launcher that plans, a validator that judges, a viewer that scans
and captions, over several rounds) are calls of a language model, which a bank of tokens cannot
make; closeness stands in for what the viewer finds. Fewer than 10 scenes are not divided further.
Clauses of time ("in the last minute") are read from the text, and taken out of the question, before
anything is embedded: `pruning.selectors.clauses`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from pruning.ranking import best
from pruning.selectors.selector import Bank, Question, Selection, Selector


@dataclass(frozen=True)
class EMCompress(Selector):
    """Reads the scenes closest to the question.

    Args:
        split: cosine with the scene so far below which a step begins another.
        join: cosine above which neighbouring scenes are one.
        most: scenes at most.
    """

    split: float = 0.85
    join: float = 0.98
    most: int = 15
    method: Literal["emcompress"] = "emcompress"

    def __post_init__(self) -> None:
        for name in ("split", "join"):
            if not -1 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a cosine, not {getattr(self, name)}")
        if self.most < 1:
            raise ValueError(f"most must be at least 1 scene, not {self.most}")

    @classmethod
    def variants(cls, width: int) -> tuple[Self, ...]:
        """The only one."""
        return (cls(),)

    def choose(self, bank: Bank, question: Question, budget: int) -> Selection:
        """See `Selector.choose`."""
        scene = self._scenes(bank)  # [n]
        asked = question.features.mean(dim=0)
        cosines = F.cosine_similarity(bank.features, asked, dim=-1)  # [n]
        closest = torch.full((int(scene[-1]) + 1,), -2.0, device=scene.device)
        closest.scatter_reduce_(0, scene, cosines, "amax")
        taken: list[Tensor] = []
        for one in closest.argsort(descending=True, stable=True).tolist():
            rows = (scene == one).nonzero()[:, 0]
            taken.append(rows[best(cosines[rows], budget)] if len(rows) > budget else rows)
            budget -= len(taken[-1])
            if not budget:
                break
        return Selection(torch.cat(taken).sort().values)

    def _scenes(self, bank: Bank) -> Tensor:
        """The scene of each token, int64 [n], from 0, without gaps."""
        _, step, sizes = torch.unique_consecutive(
            bank.step, return_inverse=True, return_counts=True
        )
        means = torch.zeros(len(sizes), bank.features.shape[1], device=bank.features.device)
        means.index_add_(0, step, bank.features)
        bounds = scenes(means / sizes[:, None], self.split, self.join, self.most)
        lengths = torch.tensor([stop - start for start, stop in bounds], device=step.device)
        return torch.arange(len(bounds), device=step.device).repeat_interleave(lengths)[step]


def scenes(steps: Tensor, split: float, join: float, most: int) -> list[tuple[int, int]]:
    """[start, stop) of each run of steps that belong together, in order; they cover all.

    Args:
        steps: float32 [t, d].
        split: cosine of a step with the mean of the scene so far below which it begins another.
        join: cosine of neighbouring means above which two scenes become one, most alike first.
        most: scenes at most; beyond it neighbours are joined however little they are alike.
    """
    starts, total = [0], steps[0].clone()
    for place in range(1, len(steps)):
        if float(F.cosine_similarity(total, steps[place], dim=0)) < split:
            starts.append(place)
            total = steps[place].clone()
        else:
            total += steps[place]
    stops = [*starts[1:], len(steps)]
    sums = [steps[start:stop].sum(dim=0) for start, stop in zip(starts, stops, strict=True)]
    while len(sums) > 1:
        whole = torch.stack(sums)
        alike = F.cosine_similarity(whole[:-1], whole[1:], dim=-1)
        place = int(alike.argmax())
        if len(sums) <= most and float(alike[place]) <= join:
            break
        sums[place : place + 2] = [sums[place] + sums[place + 1]]
        del starts[place + 1]
    return list(zip(starts, [*starts[1:], len(steps)], strict=True))
