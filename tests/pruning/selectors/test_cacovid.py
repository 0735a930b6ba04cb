"""CaCoVID's choice against worked values and a restatement, and its network's structure."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.tokens import Grid, VisualTokens
from pruning.selectors.cacovid import CaCoVID, step_counts, step_shares, stride
from pruning.selectors.cacovid_policy import Logits, PolicyNetwork
from pruning.selectors.selector import Bank, Question
from pruning.selectors.weights import Shape
from tests.pruning.scenes import D, M, stream, tokens

SHAPE = Shape(D, 2, 1, 8, 24, 1e4, (2, 1, 1))


class Says(PolicyNetwork):
    """A policy that says the same of every bank."""

    def __init__(self, token_scores: torch.Tensor, step_scores: torch.Tensor) -> None:
        super().__init__(SHAPE)
        self.said = Logits(
            *(torch.stack([-s / 2, s / 2], dim=-1) for s in (token_scores, step_scores))
        )

    def forward(self, bank: Bank, question: Question) -> Logits:
        return self.said


def bank_of(shown: VisualTokens) -> Bank:
    return Bank(shown.features, shown.index, shown.grid)


def test_shares_of_a_worked_example():
    """Scores 1, 0, -1 scale to 3, 0, -3: softmax .950, .047, .002; clipped to [1/6, 1/2]."""
    shares = step_shares(torch.tensor([1.0, 0.0, -1.0]))
    clipped = np.array([1 / 2, 1 / 6, 1 / 6])
    assert shares.tolist() == pytest.approx((clipped / clipped.sum()).tolist())
    assert step_shares(torch.zeros(4)).tolist() == pytest.approx([0.25] * 4)
    assert step_shares(torch.tensor([5e-9])).tolist() == [1.0]


@pytest.mark.parametrize("seed", range(5))
def test_shares_are_those_of_the_formula(seed):
    scores = np.random.default_rng(seed).normal(size=12)
    weights = np.exp(3 * scores / np.abs(scores).max())
    expected = np.clip(weights / weights.sum(), 1 / 24, 1.5 / 12)
    assert step_shares(torch.tensor(scores)).tolist() == pytest.approx(
        (expected / expected.sum()).tolist()
    )


@pytest.mark.parametrize(
    ("shares", "sizes", "wanted", "expected"),
    [
        ([0.5, 0.25, 0.25], [9, 9, 9], 8.0, [4, 2, 2]),
        ([0.6, 0.2, 0.2], [9, 9, 9], 10.0, [5, 3, 2]),  # 6 2 2; at most 1.5 * 10 / 3 = 5
        ([0.4, 0.35, 0.25], [9, 9, 9], 2.5, [1, 1, 0]),  # 1 1 1 is one too many for floor(2.5)
        ([0.2, 0.3, 0.5], [9, 9, 9], 1.0, [0, 0, 1]),
        ([0.5, 0.25, 0.25], [1, 9, 9], 8.0, [1, 4, 3]),  # what a step does not hold, others give
        ([1.0], [9], 4.5, [4]),
        ([0.5, 0.5], [9, 9], 0.5, [0, 0]),
    ],
)
def test_counts_of_worked_examples(shares, sizes, wanted, expected):
    assert step_counts(shares, sizes, wanted) == expected


@pytest.mark.parametrize(("ratio", "total"), [(0.25, 1568), (0.1, 627)])
def test_the_published_budgets_are_spent_exactly(ratio, total):
    """32 steps of 196 tokens: 6272."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(32, 196, 4, generator=generator)
    says = Says(torch.randn(6272, generator=generator), torch.randn(32, generator=generator))
    question = Question(torch.ones(1, 4))
    assert int(6272 * ratio) == total
    shown = tokens(features, 14, 14)
    assert len(CaCoVID(says).select(shown, question, total).rows) == total


@pytest.mark.parametrize(("count", "size"), [(0, 5), (1, 5), (5, 5), (4, 9), (7, 100), (99, 100)])
def test_the_even_half_is_a_rounded_line_of_different_places(count, size):
    places = stride(count, size).tolist()
    assert places == np.floor(np.linspace(0, size - 1, count) + 0.5 + 1e-9).astype(int).tolist()
    assert len(set(places)) == count


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("budget", [1, 7, 40])
def test_what_is_read_is_that_of_a_restatement(seed, budget):
    generator = torch.Generator().manual_seed(seed)
    keep = (torch.rand(8 * M, generator=generator) < 0.6).nonzero()[:, 0]
    keep = keep[keep // M != 4]  # a step of which nothing was kept
    shown = tokens(stream(seed, 8)).select(keep)
    token_scores = torch.randn(len(shown), generator=generator)
    step_scores = torch.randn(8, generator=generator)
    rows = CaCoVID(Says(token_scores, step_scores)).select(
        shown, Question(torch.ones(1, D)), budget
    ).rows  # fmt: skip

    step = (shown.index // M).numpy()
    there = sorted(set(step.tolist()))
    assert 4 not in there
    weights = np.exp(3 * step_scores.numpy()[there] / np.abs(step_scores.numpy()[there]).max())
    shares = np.clip(weights / weights.sum(), 1 / 2 / len(there), 1.5 / len(there))
    counts = step_counts((shares / shares.sum()).tolist(), [int((step == s).sum()) for s in there],
                         budget / 2)  # fmt: skip
    expected = set()
    for one, count in zip(there, counts, strict=True):
        mine = np.flatnonzero(step == one)
        expected |= set(mine[np.argsort(-token_scores.numpy()[mine])][:count].tolist())
    assert len(expected) == budget // 2
    rest = [row for row in range(len(shown)) if row not in expected]
    line = np.linspace(0, len(rest) - 1, budget - budget // 2)
    expected |= {rest[int(np.floor(at + 0.5 + 1e-9))] for at in line}
    assert rows.tolist() == sorted(expected)


@pytest.mark.parametrize(("by_policy", "expected"), [(1.0, [4, 5, 6]), (0.0, [0, 4, 7])])
def test_the_policy_may_decide_all_or_nothing(by_policy, expected):
    says = Says(torch.tensor([0, 0, 0, 0, 9.0, 8, 7, 0]), torch.zeros(1))
    shown = tokens(torch.ones(1, 8, 4), 2, 4)
    rows = CaCoVID(says, by_policy).select(shown, Question(torch.ones(1, 4)), 3).rows
    assert rows.tolist() == expected


def test_a_share_out_of_range_is_refused():
    with pytest.raises(ValueError, match="by_policy"):
        CaCoVID(PolicyNetwork(SHAPE), 1.5)


def test_heads_read_normed_tokens_and_the_normed_mean_of_every_step():
    shown = tokens(stream(1, 4)).select(torch.tensor([0, 5, 19, 41, 42, 60, 79]))
    question = Question(torch.randn(3, D, generator=torch.Generator().manual_seed(0)))
    network = PolicyNetwork(SHAPE, seed=4)
    seen: list[torch.Tensor] = []
    hook = network.norm.register_forward_hook(lambda module, given, result: seen.append(result))
    logits = network(bank_of(shown), question)
    hook.remove()
    (normed,) = seen
    assert torch.allclose(logits.tokens, network.token_head(normed))
    means = torch.stack(
        [normed[:3].mean(0), torch.zeros(D), normed[3:5].mean(0), normed[5:].mean(0)]
    )
    assert torch.allclose(logits.steps, network.step_head(means), atol=1e-6)
    sizes = [m.out_features for m in network.token_head if isinstance(m, torch.nn.Linear)]
    assert sizes == [8, 4, 2, 1, 2], "d/2, d/4, d/8, d/16, 2"
    assert torch.equal(logits.token_scores, logits.tokens[:, 1] - logits.tokens[:, 0])


@pytest.mark.parametrize("changed", ["the last token", "the question", "the place of a token"])
def test_every_token_hears_of_every_other_and_of_the_question(changed):
    network = PolicyNetwork(Shape(D, 2, 1, 8, 24, 1e1, (2, 1, 1)), seed=2)
    one, other = torch.randn(2, 5, D, generator=torch.Generator().manual_seed(0))
    index, words = torch.arange(5), one[:2].clone()
    before = network(Bank(one, index, Grid(1, 2, 3)), Question(words)).tokens
    if changed == "the last token":
        one = torch.cat([one[:4], other[4:]])
    elif changed == "the question":
        words = other[:2]
    else:
        index = torch.tensor([0, 1, 2, 3, 5])
    after = network(Bank(one, index, Grid(1, 2, 3)), Question(words)).tokens
    assert not torch.allclose(before[0], after[0], atol=1e-6)


def test_another_question_reads_other_tokens():
    generator = torch.Generator().manual_seed(1)
    selector = CaCoVID(PolicyNetwork(Shape.small(64), seed=2))
    shown = tokens(torch.randn(6, M, 64, generator=generator))
    words = torch.randn(2, 30, 64, generator=generator)
    first, second = (selector.select(shown, Question(w), 40).rows for w in words)
    assert not torch.equal(first, second)
