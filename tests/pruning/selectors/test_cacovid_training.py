"""CaCoVID's sampler and loss by hand, and together: a policy that learns what is rewarded."""

from __future__ import annotations

import math

import pytest
import torch

from core.tokens import VisualTokens
from pruning.selectors.cacovid import CaCoVID
from pruning.selectors.cacovid_loss import advantages, decision_loss, divergence, next_rate
from pruning.selectors.cacovid_policy import Logits, PolicyNetwork
from pruning.selectors.cacovid_sampling import capped, draw_steps, draw_tokens, sample
from pruning.selectors.selector import Bank, Question
from pruning.selectors.weights import Shape
from tests.pruning.scenes import M, stream, tokens


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("given", "cap", "expected"),
    [
        ([0.7, 0.2, 0.1], 0.5, [0.5, 1 / 3, 1 / 6]),
        ([0.8, 0.15, 0.05], 0.45, [0.45, 0.4125, 0.1375]),
        ([0.8, 0.19, 0.01], 0.4, [0.4, 0.4, 0.2]),  # the second exceeds it in turn
        ([0.6, 0.4], 0.1, [0.5, 0.5]),  # a cap that cannot be kept is an even share
        ([1.0, 0.0, 0.0], 0.5, [0.5, 0.25, 0.25]),
        ([0.3, 0.3, 0.4], 0.9, [0.3, 0.3, 0.4]),
    ],
)
def test_what_a_cap_cuts_off_goes_to_the_others(given, cap, expected):
    assert capped(torch.tensor(given), cap).tolist() == pytest.approx(expected, abs=1e-5)


def test_tokens_drawn_together_are_of_like_rank():
    """Rate .05 makes ten groups; of 200 tokens one of 20, and 10 of these are drawn."""
    scores = torch.randn(200, generator=seeded())
    rank = scores.argsort(descending=True).argsort()
    generator, groups = seeded(1), []
    for _ in range(300):
        drawn = draw_tokens(scores, 10, 0.05, generator)
        assert len(set(drawn.tolist())) == 10
        (group,) = set((rank[drawn] // 20).tolist())
        groups.append(group)
    tallies = torch.tensor(groups).bincount(minlength=10).float() / 300
    mass = torch.stack([scores.softmax(0)[rank // 20 == g].sum() for g in range(10)])
    assert float(mass[0]) > 0.2 and float(tallies[0]) == pytest.approx(0.2, abs=0.07), "capped"
    assert float(tallies[1:].sum()) == pytest.approx(0.8, abs=0.07)
    assert (tallies[1:] - capped(mass, 0.2)[1:]).abs().max() < 0.07


def test_inside_a_group_no_token_is_certain_and_none_is_hopeless():
    """One group of ten, one token of which has nearly all probability: clamped to .2 and .05."""
    scores, generator = torch.tensor([20.0] + [0.0] * 9), seeded(2)
    drawn = torch.cat([draw_tokens(scores, 1, 1.0, generator) for _ in range(600)])
    share = float((drawn == 0).float().mean())
    assert share == pytest.approx(0.2 / (0.2 + 9 * 0.05), abs=0.07)


def test_steps_are_drawn_under_their_cap_and_the_first_time_the_best():
    """16 steps, an eighth: 2. The favourite has 3 / 16 and not nearly everything."""
    scores = torch.zeros(16)
    scores[5], scores[9] = 12.0, 1.0
    chosen = draw_steps(scores, 400, 0.125, seeded())
    assert chosen[0].nonzero()[:, 0].tolist() == [5, 9]
    assert bool((chosen.sum(dim=1) == 2).all())
    others = (16 - 3) / 16
    hit = 3 / 16 + others * (3 / 16) / (1 - others / 15)  # first, or second after some other
    assert float(chosen[1:, 5].float().mean()) == pytest.approx(hit, abs=0.08)


def bank(seed: int, steps: int = 9) -> Bank:
    keep = (torch.rand(steps * M, generator=seeded(seed)) < 0.8).nonzero()[:, 0]
    shown = tokens(stream(seed, steps)).select(keep[keep // M != 2])
    return Bank(shown.features, shown.index, shown.grid)


def said(of: Bank, seed: int) -> Logits:
    generator = seeded(seed)
    return Logits(
        torch.randn(len(of), 2, generator=generator), torch.randn(of.grid.t, 2, generator=generator)
    )


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.5])
def test_all_rollouts_of_a_question_keep_as_many_tokens(rate):
    of = bank(1)
    logits = said(of, 2)
    rollouts = sample(of, logits, rate, seeded(), by_token=5, by_step=4)
    sizes = [s for s in of.step.bincount().tolist() if s]
    wanted = [max(round(rate * s), 1) for s in sizes]
    parts = rollouts.tokens.split(sizes, dim=1)
    for part, count in zip(parts, wanted, strict=True):
        assert part.sum(dim=1).tolist() == [count] * 5
    assert rollouts.content.sum(dim=1).tolist() == [sum(wanted)]
    assert [tuple(mask.shape) for mask in rollouts] == [
        (1, len(of)), (5, len(of)), (4, 8), (4, len(of))]  # fmt: skip
    occupied = torch.cat([torch.full((s,), place) for place, s in enumerate(sizes)])
    for steps, kept in zip(rollouts.steps, rollouts.within, strict=True):
        assert int(steps.sum()) == 1
        held = sum(s for s, drawn in zip(sizes, steps.tolist(), strict=True) if drawn)
        assert int(kept.sum()) == min(sum(wanted), held)
        assert bool(steps[occupied[kept]].all()), "tokens of drawn steps only"


def test_the_first_rollout_of_tokens_takes_the_best_of_every_step():
    of = bank(1)
    logits = said(of, 2)
    first = sample(of, logits, 0.1, seeded(), by_token=3, by_step=1).tokens[0]
    sizes = [s for s in of.step.bincount().tolist() if s]
    for part, scores in zip(first.split(sizes), logits.token_scores.split(sizes), strict=True):
        count = int(part.sum())
        assert set(part.nonzero()[:, 0].tolist()) == set(scores.topk(count).indices.tolist())


def test_rollouts_are_those_of_their_generator():
    of = bank(1)
    one, same, other = (sample(of, said(of, 2), 0.1, seeded(s)) for s in (3, 3, 4))
    assert torch.equal(one.tokens, same.tokens) and torch.equal(one.within, same.within)
    assert not torch.equal(one.tokens, other.tokens)


def test_advantages_of_worked_rewards():
    """Mean 1, deviation of the sample sqrt(2): (2 - 1) / (sqrt 2 + 1e-4)."""
    found = advantages(torch.tensor([2.0, 0.0])).tolist()
    assert found == pytest.approx([1 / (math.sqrt(2) + 1e-4), -1 / (math.sqrt(2) + 1e-4)])
    assert advantages(torch.tensor([1.0, 1.0, 1.0])).tolist() == [0.0, 0.0, 0.0]
    assert advantages(torch.tensor([0.3])).tolist() == [0.0]


def test_the_loss_of_a_worked_example():
    """Three tokens, one kept, chances of keeping .8 and before .5 for all, advantage 1.

    The kept one's ratio 1.6 is clipped to 1.28; the dropped ones' is .4 and is not, since a loss
    never gains by the clip. Weights: 2/3 for the kept, 1/3 for each dropped.
    """
    chance = math.log(0.8 / 0.2)
    now, before = torch.tensor([[0.0, chance]] * 3), torch.zeros(3, 2)
    kept = torch.tensor([[True, False, False]])
    expected = -(2 / 3 * 1.28 + 2 * (1 / 3) * 0.4) / (4 / 3)
    assert float(decision_loss(now, before, kept, torch.ones(1))) == pytest.approx(expected)
    # the other way round: the ratio 1.6 of a bad decision counts whole, .4 as .8
    expected = (2 / 3 * 1.6 + 2 * (1 / 3) * 0.8) / (4 / 3)
    assert float(decision_loss(now, before, kept, -torch.ones(1))) == pytest.approx(expected)


def test_rollouts_weigh_alike_and_the_few_kept_as_much_as_the_many_dropped():
    logits = torch.zeros(10, 2, requires_grad=True)
    kept = torch.zeros(2, 10, dtype=torch.bool)
    kept[0, :2] = kept[1, 5:6] = True
    decision_loss(logits, logits, kept, torch.tensor([1.0, 0.0])).backward()
    keeping = -logits.grad[:, 1]
    assert float(keeping[:2].sum()) == pytest.approx(-float(keeping[2:].sum()))
    assert bool((keeping[:2] > 0).all()) and bool((keeping[2:] < 0).all())


def test_a_rollout_that_keeps_all_or_nothing_teaches_nothing():
    kept = torch.tensor([[True] * 4, [False] * 4])
    loss = decision_loss(torch.ones(4, 2), torch.zeros(4, 2), kept, torch.tensor([1.0, -1.0]))
    assert float(loss) == 0.0


def test_divergence_from_an_even_chance():
    assert float(divergence(torch.zeros(5, 2))) == pytest.approx(0.0, abs=1e-7)
    chance = torch.tensor([[0.0, math.log(0.9 / 0.1)]])
    expected = 0.9 * math.log(1.8) + 0.1 * math.log(0.2)
    assert float(divergence(chance)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("rate", "accuracy", "expected"),
    [(0.02, 0.9, 0.01), (0.01, 1.0, 0.01), (0.02, 0.1, 0.04), (0.1, 0.0, 0.12), (0.02, 0.5, 0.02),
     (0.04, 0.875, 0.02), (0.04, 0.125, 0.08)],
)  # fmt: skip
def test_hard_questions_get_more_tokens_and_easy_ones_fewer(rate, accuracy, expected):
    assert next_rate(rate, accuracy) == pytest.approx(expected)


WIDTH = 64  # so that the narrowest layer of a head has four
KINDS = 2 * torch.randn(2, WIDTH, generator=torch.Generator().manual_seed(11))


def asking(seed: int) -> tuple[VisualTokens, Question, torch.Tensor]:
    """Noise of two steps; in each three tokens of the wanted kind and three of another."""
    generator = seeded(seed)
    features = torch.randn(2, M, WIDTH, generator=generator)
    wanted = torch.zeros(2, M, dtype=torch.bool)
    for step in range(2):
        places = torch.randperm(M, generator=generator)
        features[step, places[:3]] += KINDS[0]
        features[step, places[3:6]] += KINDS[1]
        wanted[step, places[:3]] = True
    question = Question(torch.randn(2, WIDTH, generator=generator))
    return tokens(features), question, wanted.flatten()


def found(policy: PolicyNetwork, seeds: range) -> float:
    """Share of the wanted tokens that the policy reads with as many tokens as are wanted."""
    hits = 0
    for seed in seeds:
        shown, question, wanted = asking(seed)
        hits += int(wanted[CaCoVID(policy, 1.0).select(shown, question, 6).rows].sum())
    return hits / (6 * len(seeds))


def test_rollouts_and_loss_teach_a_policy_to_keep_what_is_rewarded():
    """Rewarded is the share of wanted tokens among those kept; 6 of 40 are wanted."""
    policy = PolicyNetwork(Shape(WIDTH, 4, 4, 16, 128, 1e4, (4, 2, 2)), seed=0)
    unseen, generator = range(1000, 1020), seeded(7)
    before = found(policy, unseen)
    optimiser = torch.optim.Adam(policy.parameters(), lr=3e-3)
    for seed in range(80):
        shown, question, wanted = asking(seed)
        of = Bank(shown.features, shown.index, shown.grid)
        logits = policy(of, question)
        kept = sample(of, logits, 0.15, generator, by_token=8, by_step=1).tokens
        rewards = (kept & wanted).sum(dim=1) / kept.sum(dim=1)
        loss = decision_loss(logits.tokens, logits.tokens, kept, advantages(rewards.float()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert before < 0.35, "untrained it is no better than chance"
    assert found(policy, unseen) > 0.6, "keeping both kinds alike would give a half"
