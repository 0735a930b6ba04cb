"""Which archived steps a question needs: by its queries against their landmarks.

Queries and landmarks are compared without positions: with them, what is far in time scores low
whatever it shows (LiveVLM, arXiv 2505.15269, measured that).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from core.sending import sent


def find(
    landmarks: Tensor,
    sizes: Sequence[int],
    queries: Tensor,
    budget: int,
    among: Sequence[int] | None = None,
) -> list[int]:
    """The steps that a question reads, by their places in `among`, best first.

    A step's score is, for every word of the question, how its landmark stands out from those of all
    steps, in each head of each layer; the mean over heads and layers, then the best word.

    Args:
        landmarks: of all steps, [steps, layers, kv_heads, d].
        sizes: tokens of each step in question.
        queries: of the question's words, without positions, [layers, words, heads, d].
        budget: tokens to read at most.
        among: rows of the steps in question; None: all. The others' are not looked at, nor are
            those in question copied: landmarks may be half of an archive's bytes.
    """
    kv_heads, steps = landmarks.shape[2], len(sizes)
    if not steps:
        return []
    rows = None if among is None else sent(torch.tensor(among), landmarks.device)
    layers, words, heads, d = queries.shape
    asked = queries.float().view(layers, words, kv_heads, heads // kv_heads, d).mean(3)
    standing_out = torch.zeros(steps, words, device=queries.device)
    for layer in range(layers):  # one product each: all landmarks as float32 would be many bytes
        raw = torch.einsum("whd,shd->swh", asked[layer], landmarks[:, layer].float())
        raw = raw if rows is None else raw[rows]
        spread = (raw - raw.mean(0)) / raw.std(0, correction=0).clamp(min=1e-6)
        standing_out += spread.mean(2)
    scores = standing_out.amax(1)  # [s]
    chosen, left = [], budget
    for row in torch.argsort(scores, descending=True, stable=True).tolist():
        if sizes[row] <= left:
            chosen.append(row)
            left -= sizes[row]
    return chosen
