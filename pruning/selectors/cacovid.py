"""CaCoVID (arXiv 2602.01649): half the tokens by a trained policy, half spread over the rest.

The policy (`pruning.selectors.cacovid_policy`) scores every token and every step. With a budget of
B of n tokens in t steps, i = `by_policy`:
1. step scores f / max|f| * 3, softmax, clipped to [1 / 2t, 1.5 / t], divided by their sum: p;
2. counts per step round(p * round(i B)), clipped to [1, floor(1.5 i B / t)], then changed by one at
   a time, at the largest or the smallest, until they add up to floor(i B);
3. in each step the tokens of the highest scores, as many;
4. the rest of the budget evenly over the tokens not yet read, first and last included.

Deviations: steps without tokens take no part, and no step gives more than it holds, which a bank
that was pruned makes necessary; of equally large counts that of the lowest p is lowered first, of
equally small ones that of the highest p raised. Without trained weights this is a control: half of
it chooses at random, half is even.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import torch
from torch import Tensor

from pruning.ranking import best
from pruning.selectors.cacovid_policy import Logits, PolicyNetwork
from pruning.selectors.selector import Bank, Question, Selection, Selector
from pruning.selectors.weights import Shape

SPREAD = 3.0  # of the scaled step scores
ABOVE = 1.5  # largest share of a step, in average shares


@dataclass(frozen=True, eq=False)
class CaCoVID(Selector):
    """Reads what a policy finds worth keeping, and an even part of the rest.

    Args:
        policy: the network.
        by_policy: share of the budget that it decides, in [0, 1].
    """

    policy: PolicyNetwork
    by_policy: float = 0.5
    method: Literal["cacovid"] = "cacovid"

    def __post_init__(self) -> None:
        if not 0 <= self.by_policy <= 1:
            raise ValueError(f"by_policy must lie in [0, 1], not {self.by_policy}")

    @classmethod
    def variants(cls, width: int) -> tuple[Self, ...]:
        """The untrained control."""
        return (cls(PolicyNetwork(Shape.small(width))),)

    @torch.no_grad()
    def choose(self, bank: Bank, question: Question, budget: int) -> Selection:
        """See `Selector.choose`."""
        logits: Logits = self.policy(bank, question)
        step, sizes = torch.unique_consecutive(bank.step, return_counts=True)
        shares = step_shares(logits.step_scores[step])
        counts = step_counts(shares.tolist(), sizes.tolist(), self.by_policy * budget)
        parts = torch.split(logits.token_scores, sizes.tolist())
        start, taken = 0, []
        for scores, count in zip(parts, counts, strict=True):
            taken.append(best(scores, count) + start)
            start += len(scores)
        left = torch.ones(len(bank), dtype=torch.bool, device=bank.features.device)
        left[torch.cat(taken)] = False
        others = left.nonzero()[:, 0]
        spread = others[stride(budget - sum(counts), len(others)).to(others.device)]
        return Selection(torch.cat([*taken, spread]).sort().values)


def step_shares(scores: Tensor) -> Tensor:
    """Shares of steps, float32 [t], summing to 1, from their scores [t]."""
    t = len(scores)
    scaled = scores / scores.abs().max().clamp(min=1e-12) * SPREAD
    shares = scaled.softmax(dim=0).clamp(1 / (2 * t), ABOVE / t)
    return shares / shares.sum()


def step_counts(shares: list[float], sizes: list[int], wanted: float) -> list[int]:
    """Tokens per step by their shares, floor(wanted) together.

    Args:
        shares: of the steps, summing to 1.
        sizes: tokens that each holds.
        wanted: tokens of all steps together, at most as many as they hold.
    """
    most = max(int(ABOVE * wanted / len(shares)), 1)
    counts = [
        min(max(round(share * round(wanted)), 1), most, size)
        for share, size in zip(shares, sizes, strict=True)
    ]
    steps = range(len(shares))
    while sum(counts) > int(wanted):
        counts[max(steps, key=lambda step: (counts[step], -shares[step]))] -= 1
    while sum(counts) < int(wanted):
        room = [step for step in steps if counts[step] < sizes[step]]
        counts[min(room, key=lambda step: (counts[step], -shares[step]))] += 1
    return counts


def stride(count: int, size: int) -> Tensor:
    """`count` of `size` places, evenly from the first to the last, int64; one alone is the first.

    Places between two are rounded up.
    """
    if count < 2:
        return torch.arange(count)
    return (torch.arange(count) * (size - 1) * 2 + count - 1) // (2 * (count - 1))
