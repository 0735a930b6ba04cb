"""Which archived steps a question needs: by its queries against their landmarks.

Queries and landmarks are compared without positions: with them, what is far in time scores low
whatever it shows (LiveVLM, arXiv 2505.15269, measured that).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from memory.recall.archive import Step


def find(steps: Sequence[Step], queries: Tensor, budget: int) -> tuple[Step, ...]:
    """The steps that a question reads, in order of time.

    A step's score is, for every word of the question, how its landmark stands out from those of all
    steps, in each head of each layer; the mean over heads and layers, then the best word.

    Args:
        steps: archived, oldest first.
        queries: of the question's words, without positions, [layers, words, heads, d].
        budget: tokens to read at most.
    """
    if not steps:
        return ()
    layers, words, heads, d = queries.shape
    kv_heads = steps[0].landmark.shape[1]
    asked = queries.float().view(layers, words, kv_heads, heads // kv_heads, d).mean(3)
    standing_out = torch.zeros(len(steps), words, device=queries.device)
    for layer in range(layers):  # one by one: all landmarks of a long archive are many
        landmarks = torch.stack(
            [step.landmark[layer] for step in steps]
        ).float()  # [s, kv_heads, d]
        raw = torch.einsum("whd,shd->swh", asked[layer], landmarks)
        spread = (raw - raw.mean(0)) / raw.std(0, correction=0).clamp(min=1e-6)
        standing_out += spread.mean(2)
    scores = standing_out.amax(1)  # [s]
    chosen, left = [], budget
    for place in torch.argsort(scores, descending=True, stable=True).tolist():
        if len(steps[place]) <= left:
            chosen.append(place)
            left -= len(steps[place])
    return tuple(steps[place] for place in sorted(chosen))
