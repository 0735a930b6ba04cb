"""QTSplus against a restatement in NumPy, and its training parts against their closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from transformers import Qwen3VLTextConfig
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLTextDecoderLayer

from core.errors import ModelLoadFailed
from pruning.selectors.cacovid_policy import PolicyNetwork
from pruning.selectors.qtsplus import QTSplus, budget_loss, gate, threshold
from pruning.selectors.qtsplus_network import Judgement, QTSplusNetwork
from pruning.selectors.selector import Question
from pruning.selectors.weights import Shape
from tests.pruning.scenes import D, M, stream, tokens

SHAPE = Shape(D, 4, 2, 8, 24, 1e4, (2, 1, 1))


class Says(QTSplusNetwork):
    """A network that says the same of every bank."""

    def __init__(self, relevance: torch.Tensor, share: float) -> None:
        super().__init__(SHAPE)
        self.said = Judgement(relevance, torch.tensor(share))

    def forward(self, tokens: torch.Tensor, words: torch.Tensor, total: int | None = None) -> Judgement:  # fmt: skip # noqa: E501
        return self.said


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("seed", range(3))
def test_relevance_and_share_are_those_of_a_restatement(seed):
    torch.manual_seed(seed)
    network = QTSplusNetwork(SHAPE, seed=seed)
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.4)
    w = {name: value.double().numpy() for name, value in network.state_dict().items()}
    tokens, words = torch.randn(9, D).double(), torch.randn(3, D).double()
    with torch.no_grad():
        judged = network.double()(tokens, words)

    def normed(x, weight):
        return weight * x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + SHAPE.eps)

    scale = w["scorer.input_layernorm.weight"]
    t, q = normed(tokens.double().numpy(), scale), normed(words.double().numpy(), scale)
    keys = normed((t @ w["scorer.k_proj.weight"].T).reshape(9, 2, 8), w["scorer.k_norm.weight"])
    asks = normed((q @ w["scorer.q_proj.weight"].T).reshape(3, 4, 8), w["scorer.q_norm.weight"])
    relevance = np.zeros(9)
    for head in range(4):
        for word in range(3):
            logits = keys[:, head // 2] @ asks[word, head] / math.sqrt(8)
            weights = np.exp(logits - logits.max())
            relevance = np.maximum(relevance, weights / weights.sum())
    assert judged.relevance.tolist() == pytest.approx(relevance.tolist(), abs=1e-5)

    p = relevance / relevance.sum()
    facts = [math.log(9), relevance.max(), -(p * np.log(p)).sum()]
    x = np.concatenate([words.double().numpy().mean(axis=0), facts])
    hidden = x @ w["budget.0.weight"].T + w["budget.0.bias"]
    hidden = hidden * 0.5 * (1 + np.vectorize(math.erf)(hidden / math.sqrt(2)))
    out = float((hidden @ w["budget.2.weight"].T + w["budget.2.bias"])[0])
    assert float(judged.share) == pytest.approx(0.05 + 0.45 / (1 + math.exp(-out)), abs=1e-5)


def test_a_part_of_a_stream_is_judged_with_the_size_of_the_whole():
    network = QTSplusNetwork(SHAPE, seed=1)
    part, words = torch.randn(9, D, generator=seeded()), torch.randn(3, D, generator=seeded(1))
    alone, of_many = network(part, words), network(part, words, total=5000)
    assert torch.equal(alone.relevance, of_many.relevance)
    assert not torch.equal(alone.share, of_many.share)


@pytest.mark.parametrize(
    ("share", "n", "budget", "read"),
    [(0.2285, 3000, 2560, 686), (0.5, 3000, 512, 512), (0.05, 4, 3, 1), (0.26, 4, 3, 2)],
)
def test_as_many_are_read_as_needed_and_never_more_than_the_budget(share, n, budget, read):
    relevance = torch.rand(n, generator=seeded())
    selector = QTSplus(Says(relevance, share))
    shown = tokens(torch.ones(1, n, D), 1, n)
    rows = selector.select(shown, Question(torch.ones(1, D)), budget).rows
    assert rows.tolist() == sorted(np.argsort(-relevance.numpy(), kind="stable")[:read].tolist())


def test_untrained_it_ranks_by_likeness():
    """A token equal to a word has the largest key that this word can ask for, in every head."""
    for seed in range(5):
        selector = QTSplus(QTSplusNetwork(SHAPE, seed=seed))
        shown = tokens(stream(seed, 6))
        words = torch.stack([shown.features[17], shown.features[88]])
        rows = selector.select(shown, Question(words), 10).rows.tolist()
        assert 17 in rows and 88 in rows


@pytest.mark.parametrize("tau", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("wanted", [0.5, 3.0, 50.0, 99.5])
def test_the_cut_keeps_as_many_as_wanted(tau, wanted):
    for seed in range(3):
        relevance = torch.rand(100, generator=seeded(seed))
        cut = threshold(relevance, torch.tensor(wanted), tau)
        kept = ((relevance.double() - cut.double()) / tau).sigmoid().sum()
        assert float(kept) == pytest.approx(wanted, rel=5e-3)


def test_the_cut_of_equal_tokens_is_known():
    """All at .3, a quarter wanted: sigmoid((.3 - t) / .1) = 1/4, t = .3 + .1 ln 3."""
    cut = threshold(torch.full((8,), 0.3), torch.tensor(2.0), 0.1)
    assert float(cut) == pytest.approx(0.3 + 0.1 * math.log(3), abs=1e-5)


def test_gradients_of_the_cut_are_those_of_moving_its_arguments():
    relevance = torch.rand(20, generator=seeded(), dtype=torch.float64, requires_grad=True)
    wanted = torch.tensor(6.0, dtype=torch.float64, requires_grad=True)
    threshold(relevance, wanted, 0.1).backward()
    for place in (0, 7, 19):
        moved = relevance.detach().clone()
        moved[place] += 1e-5
        there = threshold(moved, wanted.detach(), 0.1)
        moved[place] -= 2e-5
        difference = (there - threshold(moved, wanted.detach(), 0.1)) / 2e-5
        assert float(relevance.grad[place]) == pytest.approx(float(difference), rel=1e-3)
    ends = [threshold(relevance.detach(), wanted.detach() + step, 0.1) for step in (1e-5, -1e-5)]
    assert float(wanted.grad) == pytest.approx(float(ends[0] - ends[1]) / 2e-5, rel=1e-3)
    assert float(relevance.grad.sum()) == pytest.approx(1.0), "a cut moves with what it cuts"


@pytest.mark.parametrize(("wanted", "tau"), [(0.0, 0.1), (5.0, 0.1), (2.0, 0.0), (math.nan, 0.1)])
def test_a_cut_that_cannot_be_is_refused(wanted, tau):
    with pytest.raises(ValueError, match="no cut"):
        threshold(torch.rand(5), torch.tensor(wanted), tau)


def test_a_gate_is_hard_forwards_soft_backwards_and_as_likely_as_it_should_be():
    relevance = torch.tensor([0.1, 0.2, 0.3], requires_grad=True)
    cut, generator = torch.tensor(0.2), seeded()
    draws = [gate(relevance, cut, 0.1, generator) for _ in range(2000)]
    assert {value for draw in draws[:50] for value in draw.tolist()} <= {0.0, 1.0}
    usual = torch.stack(draws).mean(dim=0).tolist()
    expected = [1 / (1 + math.exp((0.2 - r) / 0.1)) for r in (0.1, 0.2, 0.3)]
    assert usual == pytest.approx(expected, abs=0.04)
    draws[0].sum().backward()
    assert bool((relevance.grad > 0).all())


def test_the_loss_of_a_worked_example():
    """A fifth of 1000 tokens with room for 400: (1/2)^2 + 1.7 / 2 + .05 * .01."""
    loss = budget_loss(torch.tensor(0.2), 0.3, 1000, 400)
    assert float(loss) == pytest.approx(0.25 + 0.85 + 0.05 * 0.01)
    example = budget_loss(torch.tensor(0.2), 0.3, 1000, 400, (0.1, 0.17, 0.05))
    assert float(example) == pytest.approx(0.025 + 0.085 + 0.05 * 0.01)


def test_a_network_may_begin_as_a_language_models_layer():
    config = Qwen3VLTextConfig(
        hidden_size=D, intermediate_size=24, head_dim=8, num_attention_heads=4,
        num_key_value_heads=2,
        rope_parameters={"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]},
    )  # fmt: skip
    layer = Qwen3VLTextDecoderLayer(config, 0)
    network = QTSplusNetwork.of_language_layer(SHAPE, layer.state_dict())
    assert torch.equal(network.scorer.q_proj.weight, layer.self_attn.q_proj.weight)
    assert torch.equal(network.scorer.input_layernorm.weight, layer.input_layernorm.weight)
    with pytest.raises(ModelLoadFailed, match="lacks"):
        QTSplusNetwork.of_language_layer(SHAPE, {"mlp.up_proj.weight": torch.ones(1)})


def test_a_network_that_was_saved_is_the_same_and_another_networks_file_is_refused(tmp_path):
    network, path = QTSplusNetwork(SHAPE, seed=3), tmp_path / "x.safetensors"
    network.save(path)
    again = QTSplusNetwork.load(path)
    assert again.shape == SHAPE
    for name, value in network.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    PolicyNetwork(SHAPE).save(path)
    with pytest.raises(ModelLoadFailed, match="holds cacovid, not weights of qtsplus"):
        QTSplusNetwork.load(path)


def test_needing_more_raises_the_share_and_its_cost_lowers_it():
    relevance, generator = torch.rand(40, generator=seeded()), seeded(1)
    for loss in ("need", "cost"):
        share = torch.tensor(0.3, requires_grad=True)
        if loss == "need":
            kept = gate(relevance, threshold(relevance, share * 40, 0.1), 0.1, generator)
            (1 - kept).mean().backward()
            assert float(share.grad) < 0
        else:
            budget_loss(share, 0.2, 40, 40).backward()
            assert float(share.grad) > 0


def example(seed: int, kind: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Forty tokens of noise, two of them of one kind: those are needed."""
    own = seeded(seed)
    features, words = torch.randn(2 * M, D, generator=own), torch.randn(2, D, generator=own)
    needed = torch.randperm(2 * M, generator=own)[:2]
    features[needed] += kind
    return features, words, needed


@torch.no_grad()
def found(network: QTSplusNetwork, kind: torch.Tensor) -> float:
    """Share of the needed tokens among the six of highest relevance, of examples not learned."""
    hits = 0
    for seed in range(1000, 1020):
        features, words, needed = example(seed, kind)
        best = network(features, words).relevance.topk(6).indices
        hits += len(set(best.tolist()) & set(needed.tolist()))
    return hits / 40


def test_cut_gate_and_loss_teach_a_network_to_keep_what_is_needed():
    network = QTSplusNetwork(Shape(D, 2, 2, 8, 32, 1e4, (2, 1, 1)), seed=0)
    kind, generator = 3 * torch.randn(D, generator=seeded(5)), seeded(9)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    before = found(network, kind)
    for seed in range(250):
        features, words, needed = example(seed, kind)
        judged = network(features, words)
        scores = judged.relevance / judged.relevance.detach().max()
        kept = gate(scores, threshold(scores, judged.share * 2 * M, 0.1), 0.1, generator)
        loss = (1 - kept[needed]).mean() + 0.2 * budget_loss(judged.share, 0.2, 2 * M, 2 * M)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert before < 0.4, "untrained it does not know the kind"
    assert found(network, kind) > 0.75
