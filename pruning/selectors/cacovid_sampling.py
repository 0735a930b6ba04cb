"""CaCoVID's rollouts (arXiv 2602.01649): which selections are tried on a question while training.

Online combination-space sampling (OCSS): within a step, tokens are ranked by probability and cut
into G = int(1 / rate / 2) groups of neighbouring ranks, at least one. A group's probability is the
sum of its tokens', capped at 2 / G (within [0.1, 0.9]), what is cut off going to the others in
proportion. Each rollout draws one group per step, and in it round(rate * m) tokens without
replacement, their probabilities clamped to [0.5, 2] / size. Tokens of like rank are so tried
together, and far fewer combinations are left to try.

Of 32 rollouts 23 choose tokens so, the first of them simply the best; 8 choose an eighth of the
steps, capped at 3 / t, the first the best ones, and spend as many tokens in these by density peaks
(k = 4); 1 takes density peaks in every step, for comparison only.

Deviations: every step gives at least one token; a cap that cannot be kept, for fewer groups or
steps than it needs, is an even share. The published code applies the cap of steps to all rollouts
together, where for up to 37 steps it does nothing; this is what is meant by it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from pruning.density import centres
from pruning.ranking import best
from pruning.selectors.cacovid_policy import Logits
from pruning.selectors.selector import Bank

GROUP = 2  # times as many tokens in a group as are drawn from it
NEIGHBOURS = 4  # of the density peaks


class Rollouts(NamedTuple):
    """Selections of one bank; the first of `tokens` and of `steps` is greedy."""

    content: Tensor  # bool [1, n], density peaks of every step
    tokens: Tensor  # bool [r, n], drawn tokens
    steps: Tensor  # bool [f, s], drawn steps, of those that hold tokens
    within: Tensor  # bool [f, n], density peaks of drawn steps


def sample(
    bank: Bank,
    logits: Logits,
    rate: float,
    generator: torch.Generator,
    *,
    by_token: int = 23,
    by_step: int = 8,
    share: float = 0.125,
) -> Rollouts:
    """Selections to try.

    Args:
        bank: what is chosen from.
        logits: what the policy says of it.
        rate: share of a step's tokens that is kept, in (0, 1].
        generator: of the draws, on the CPU.
        by_token: rollouts that draw tokens, at least 1.
        by_step: rollouts that draw steps, at least 1.
        share: of the steps that these draw.
    """
    step, sizes = torch.unique_consecutive(bank.step.cpu(), return_counts=True)
    features = torch.split(bank.features.cpu(), sizes.tolist())
    scores = torch.split(logits.token_scores.detach().cpu(), sizes.tolist())
    counts = [max(round(rate * size), 1) for size in sizes.tolist()]
    peaks = [centres(part, k, NEIGHBOURS) for part, k in zip(features, counts, strict=True)]
    greedy = [best(part, k) for part, k in zip(scores, counts, strict=True)]
    drawn = [
        [draw_tokens(part, k, rate, generator) for part, k in zip(scores, counts, strict=True)]
        for _ in range(by_token - 1)
    ]
    chosen = draw_steps(logits.step_scores.detach().cpu()[step], by_step, share, generator)
    inside = [_peaks_of(features, mask, sum(counts)) for mask in chosen]
    return Rollouts(
        _masks([peaks], sizes), _masks([greedy, *drawn], sizes), chosen, _masks(inside, sizes)
    )


def draw_tokens(scores: Tensor, count: int, rate: float, generator: torch.Generator) -> Tensor:
    """Places of `count` of one step's tokens, by OCSS.

    Args:
        scores: float32 [m].
        count: to draw, within a group's size.
        rate: that `count` comes from; it decides the number of groups.
        generator: of the draws.
    """
    probabilities = scores.softmax(dim=0)
    number = min(max(int(1 / rate / GROUP), 1), len(scores))
    groups = scores.argsort(descending=True, stable=True).tensor_split(number)
    mass = torch.stack([probabilities[group].sum() for group in groups])
    mass = capped(mass, max(min(2 / number, 0.9), 0.1))
    group = groups[int(mass.multinomial(1, generator=generator))]
    inside = probabilities[group] / probabilities[group].sum().clamp(min=1e-30)
    inside = inside.clamp(0.5 / len(group), 2 / len(group))
    return group[inside.multinomial(min(count, len(group)), generator=generator)]


def draw_steps(scores: Tensor, number: int, share: float, generator: torch.Generator) -> Tensor:
    """Which steps each of `number` rollouts chooses, bool [number, s]; the first the best ones.

    Args:
        scores: float32 [s].
        number: of rollouts.
        share: of the steps that are chosen, rounded up.
        generator: of the draws.
    """
    s = len(scores)
    count = min(math.ceil(share * s), s)
    probabilities = capped(scores.softmax(dim=0), 3 / s)
    chosen = torch.zeros(number, s, dtype=torch.bool)
    chosen[0, best(scores, count)] = True
    for mask in chosen[1:]:
        mask[probabilities.multinomial(count, generator=generator)] = True
    return chosen


def capped(probabilities: Tensor, cap: float) -> Tensor:
    """Probabilities [n] of which none exceeds the cap, what is cut off spread in proportion.

    Args:
        probabilities: summing to 1.
        cap: raised to an even share if it is below one.
    """
    cap = max(cap, 1 / len(probabilities))
    capped = probabilities + 1e-12  # so that there is always a proportion
    while bool((capped > cap * (1 + 1e-6)).any()):
        full = capped >= cap
        left = 1 - cap * int(full.sum())
        rest = capped.masked_fill(full, 0.0)
        capped = torch.where(full, cap, rest * (left / rest.sum().clamp(min=1e-30)))
    return capped


def _peaks_of(features: tuple[Tensor, ...], chosen: Tensor, total: int) -> list[Tensor]:
    """Density peaks of the chosen steps, `total` together if they hold as many; others none."""
    peaks = [torch.empty(0, dtype=torch.int64) for _ in features]
    steps = chosen.nonzero()[:, 0].tolist()
    for place, step in enumerate(steps):
        count = min(math.ceil(total / (len(steps) - place)), len(features[step]))
        if count:
            peaks[step] = centres(features[step], count, NEIGHBOURS)
            total -= count
    return peaks


def _masks(selections: list[list[Tensor]], sizes: Tensor) -> Tensor:
    """Selections as places per step, to bool [number, n]."""
    starts = (sizes.cumsum(0) - sizes).tolist()
    masks = torch.zeros(len(selections), int(sizes.sum()), dtype=torch.bool)
    for mask, selection in zip(masks, selections, strict=True):
        for start, places in zip(starts, selection, strict=True):
            mask[places + start] = True
    return masks
