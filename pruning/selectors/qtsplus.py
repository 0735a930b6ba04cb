"""QTSplus (arXiv 2511.11910): as many of the most relevant tokens as the question needs.

`pruning.selectors.qtsplus_network` gives every token of the M in the bank a relevance r and says
which share rho is needed. At inference the n = min(max(1, ceil(rho M)), n_max) most relevant are
read, in the order of the stream; n_max is the budget.

For training, which is not here: `threshold` finds by at most 10 Newton steps the cut t at which
sum sigmoid((r - t) / tau) = rho M, `gate` decides each token by it with Gumbel noise, hard forwards
and soft backwards, tau 0.1 (0.5 in the published example), and `budget_loss` is added to the
language model's loss: (rho M)^2 / n_max^2 + 1.7 rho M / n_max + 0.05 (rho - running mean)^2
(0.1, 0.17 and 0.05 in the example).

Deviations: the one or two layers that re-encode what was kept are left out, since a selector gives
rows and never features; times are in the model's positions already. A Newton step that leaves the
bracket in which the cut must lie is replaced by its middle. Without trained weights this is a
control: its ranking is that of word and token likeness, its share means nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor

from pruning.policy import Spending
from pruning.ranking import best
from pruning.selectors.qtsplus_network import Judgement, QTSplusNetwork
from pruning.selectors.selector import Bank, Question, Selection, Selector
from pruning.selectors.weights import Shape

STEPS = 10  # of Newton's method


@dataclass(frozen=True, eq=False)
class QTSplus(Selector):
    """Reads the most relevant tokens, and no more than it finds needed.

    Args:
        network: what judges.
    """

    network: QTSplusNetwork
    method: Literal["qtsplus"] = "qtsplus"
    spending: ClassVar[Spending] = Spending.OWN

    @classmethod
    def variants(cls, width: int) -> tuple[Self, ...]:
        """The untrained control."""
        return (cls(QTSplusNetwork(Shape.small(width))),)

    @torch.no_grad()
    def choose(self, bank: Bank, question: Question, budget: int) -> Selection:
        """See `Selector.choose`."""
        judged: Judgement = self.network(bank.features, question.features)
        count = min(max(math.ceil(float(judged.share) * len(bank)), 1), budget)
        return Selection(best(judged.relevance, count))


def threshold(relevance: Tensor, wanted: Tensor, tau: float) -> Tensor:
    """The cut t with sum sigmoid((relevance - t) / tau) = wanted, a number.

    Differentiable by both arguments, exactly where the cut was found.

    Args:
        relevance: [n].
        wanted: tokens to keep, above 0 and below n.
        tau: softness, above 0.

    Raises:
        ValueError: if that many cannot be kept.
    """
    n, aim = len(relevance), float(wanted.detach())
    if not 0 < aim < n or not tau > 0:
        raise ValueError(f"there is no cut that keeps {aim} of {n} tokens at {tau}")
    fixed = relevance.detach().double()
    shift = tau * math.log(aim / (n - aim))
    low, high = float(fixed.min()) - shift, float(fixed.max()) - shift
    cut = (low + high) / 2
    for _ in range(STEPS):
        soft = ((fixed - cut) / tau).sigmoid()
        excess = float(soft.sum()) - aim
        low, high = (cut, high) if excess > 0 else (low, cut)
        slope = float((soft * (1 - soft)).sum()) / tau
        step = cut + excess / slope if slope > 0 else math.inf
        cut = step if low <= step <= high else (low + high) / 2
    # One more step with gradients: by the implicit function theorem they are those of the cut.
    soft = ((relevance - cut) / tau).sigmoid()
    slope = float((soft * (1 - soft)).detach().sum()) / tau
    return cut + (soft.sum() - wanted) / max(slope, 1e-12)


def gate(relevance: Tensor, cut: Tensor, tau: float, generator: torch.Generator) -> Tensor:
    """Which tokens are kept, [n] of exactly 0 and 1, with the gradients of the soft decision.

    Args:
        relevance: [n].
        cut: where keeping and dropping are as likely.
        tau: softness.
        generator: of the noise, on the CPU.
    """
    chance = torch.rand(len(relevance), generator=generator).clamp(1e-6, 1 - 1e-6)
    noise = (chance / (1 - chance)).log().to(relevance.device)  # of two Gumbel draws
    soft = (((relevance - cut) / tau) + noise).sigmoid()
    return (soft > 0.5).to(soft.dtype) + (soft - soft.detach())


def budget_loss(
    share: Tensor,
    usual: float,
    total: int,
    most: int,
    weights: tuple[float, float, float] = (1.0, 1.7, 0.05),
) -> Tensor:
    """What keeping this share of the tokens costs, a number.

    Args:
        share: rho.
        usual: its running mean.
        total: tokens there are, M.
        most: n_max.
        weights: of computing, of memory and of steadiness.
    """
    kept = share * total / most
    return weights[0] * kept**2 + weights[1] * kept + weights[2] * (share - usual) ** 2
