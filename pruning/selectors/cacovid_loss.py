"""CaCoVID's combinatorial policy optimisation (arXiv 2602.01649): what the rollouts teach.

Keeping or dropping a token (or a step) is one binary action j of rollout i, with the rollout's
advantage A_i = (reward - mean) / (deviation + 1e-4) and the ratio rho_ij = p / p_old of its
probability now and at the question's first update:
  l_ij = -min(rho_ij A_i, clip(rho_ij, 0.8, 1.28) A_i)
  w_ij = 1 - k_i if j was kept, k_i if it was dropped; k_i = share that rollout i kept
  loss = mean_i(sum_j w_ij l_ij / sum_j w_ij),
so that the few kept weigh as much as the many dropped. Tokens and steps each have such a loss, with
advantages of their own, and they add up; so may the divergence from keeping with probability 1/2,
whose published weight is 0.

Pure functions: rewards (the frozen model's answers) and the training loop are not here.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

LOW, HIGH = 0.8, 1.28  # of the clipped ratio


def advantages(rewards: Tensor) -> Tensor:
    """How much better than usual each rollout was, float32 [r].

    Args:
        rewards: of all rollouts of one kind on one question so far, float32 [r]; the deviation is
            that of the sample, 0 for a single one.
    """
    off = rewards - rewards.mean()
    deviation = off.square().sum().div(max(len(rewards) - 1, 1)).sqrt()
    return off / (deviation + 1e-4)


def decision_loss(logits: Tensor, before: Tensor, kept: Tensor, advantage: Tensor) -> Tensor:
    """The loss of rollouts of one kind, a number that can be differentiated by `logits`.

    Args:
        logits: of dropping and keeping, now, [n, 2].
        before: the same when the rollouts were drawn, [n, 2].
        kept: bool [r, n].
        advantage: [r].
    """
    action = kept.long()[..., None]  # [r, n, 1]
    now, then = (x.log_softmax(dim=-1).expand(len(kept), -1, -1) for x in (logits, before.detach()))
    ratio = (now.gather(2, action) - then.gather(2, action))[..., 0].exp()  # [r, n]
    gain = advantage[:, None]
    losses = -torch.minimum(ratio * gain, ratio.clamp(LOW, HIGH) * gain)
    share = kept.float().mean(dim=1, keepdim=True)
    weight = torch.where(kept, 1 - share, share)
    balanced = (weight * losses).sum(dim=1) / weight.sum(dim=1).clamp(min=1e-12)
    return balanced.mean()


def divergence(logits: Tensor) -> Tensor:
    """Mean divergence of keeping and dropping [n, 2] from an even chance; 0 to log 2."""
    log = logits.log_softmax(dim=-1)
    return (log.exp() * (log + math.log(2))).sum(dim=-1).mean()


def next_rate(rate: float, accuracy: float) -> float:
    """The share of tokens kept at the question's next update, within [0.01, 0.12].

    Args:
        rate: the one so far; 0.02 at first.
        accuracy: mean reward of the rollouts that drew tokens: from 0.875 on the rate is halved,
            down to 0.125 doubled.
    """
    if accuracy >= 0.875:
        return max(rate / 2, 0.01)
    return min(rate * 2, 0.12) if accuracy <= 0.125 else rate
