"""HERMES by hand: what layers lean on by depth, how scores flow, what a summary is."""

from __future__ import annotations

import math

import pytest
import torch

from memory.policies.hermes import Hermes, leanings, scores
from memory.table import SUMMARY
from tests.memory.policies.tables import ROTATION, SINK, Shown, Token, kept, looking, retained

torch.set_num_threads(1)

LAYERS = 10  # one shallow, six between, three deep


def steps(count: int) -> list[Token]:
    return [Token(group, (group % 3, 0)) for group in range(count)]


def shown(shares: list[float], layers: int = LAYERS, heads: int = 1) -> Shown:
    row = torch.tensor(shares).log()
    return looking(Shown(steps(len(shares))), row.expand(layers, heads, -1).clone())


def test_shallow_layers_lean_on_recency_deep_ones_not_at_all_and_those_between_less_and_less():
    found = leanings(LAYERS)
    assert found == pytest.approx([1.0, 0.75, 0.63, 0.51, 0.39, 0.27, 0.15, 0.0, 0.0, 0.0])


@pytest.mark.parametrize("layers", range(1, 81))
def test_every_depth_of_model_has_a_deep_layer_and_leans_monotonously(layers):
    found = leanings(layers)
    assert len(found) == layers
    assert found[-1] == 0.0
    assert sorted(found, reverse=True) == found
    assert found.count(1.0) == round(0.1 * layers)
    assert found.count(0.0) == max(1, round(0.3 * layers))


def test_the_deepest_layer_wants_what_is_attended_and_the_first_what_is_new():
    """Worked by hand: three tokens, of which the oldest is attended most."""
    found = scores(shown([0.6, 0.1, 0.3]).contents())[:, 0]
    attention = torch.tensor([1.0, 0.0, 0.4])  # moved to 0 to 1
    recency = torch.tensor([math.exp(-20.0), math.exp(-10.0), 1.0])
    wanted = attention.clone()
    assert torch.allclose(found[-1], wanted, atol=1e-4)
    leans = [1.0, 0.75, 0.63, 0.51, 0.39, 0.27, 0.15, 0.0, 0.0, 0.0]
    flows = [0.1] + [0.3] * 6 + [0.4] * 3
    for layer in range(LAYERS - 2, -1, -1):
        own = (1 - leans[layer]) * attention + leans[layer] * recency
        wanted = (1 - flows[layer]) * own + flows[layer] * wanted
        assert torch.allclose(found[layer], wanted, atol=1e-4), layer


def test_what_only_the_layer_below_attends_to_flows_up_by_its_share():
    """Deep layers 8 and 9: 0.4 of what 9 wants comes to 8, nothing of 8 goes to 9."""
    rows = torch.full((LAYERS, 1, 3), 1 / 3)
    rows[9, 0] = torch.tensor([0.8, 0.1, 0.1])
    rows[8, 0] = torch.tensor([0.1, 0.1, 0.8])
    found = scores(looking(Shown(steps(3)), rows.log()).contents())[:, 0]
    assert torch.allclose(found[9], torch.tensor([1.0, 0.0, 0.0]), atol=1e-4)
    assert torch.allclose(found[8], torch.tensor([0.4, 0.0, 0.6]), atol=1e-4)


def test_scores_flow_to_the_same_token_wherever_the_next_layer_holds_it():
    """Layer 9 holds the tokens in another order and misses one, whose own score then stays."""
    rows = torch.full((LAYERS, 1, 3), 1 / 3)
    rows[9, 0] = torch.tensor([0.8, 0.1, 0.1])
    rows[8, 0] = torch.tensor([0.1, 0.1, 0.8])
    case = looking(Shown(steps(3)), rows.log())
    case.heads = torch.arange(3).expand(LAYERS, 1, 3).clone()
    case.heads[9, 0] = torch.tensor([1, 0, -1])
    found = scores(case.contents())[:, 0]
    assert torch.allclose(found[9, :2], torch.tensor([0.0, 1.0]), atol=1e-4)
    assert torch.allclose(found[8], torch.tensor([0.4, 0.0, 1.0]), atol=1e-4)


def test_shallow_keeps_the_newest_and_deep_what_is_attended():
    case = shown([0.5, 0.2, 0.1, 0.08, 0.06, 0.04, 0.01, 0.01])
    policy = Hermes(target=1.0, summarise=False)
    assert kept(policy, case, 3, layer=0) == {0, 6, 7}, "0.1 flows up, more than exp(-20 * 2 / 7)"
    assert kept(policy, case, 2, layer=0) == {6, 7}
    assert kept(policy, case, 3, layer=9) == {0, 1, 2}


def test_heads_of_a_layer_agree():
    rows = torch.tensor([[0.7, 0.1, 0.2], [0.1, 0.2, 0.7]]).expand(LAYERS, 2, 3).log()
    case = looking(Shown(steps(3)), rows)
    policy = Hermes(target=1.0, summarise=False)
    assert kept(policy, case, 1, 9, 0) == kept(policy, case, 1, 9, 1) == {2}


def test_the_sink_stays_and_neither_its_attention_nor_its_age_counts():
    tokens = [Token(SINK, None), *steps(4)]
    rows = torch.tensor([0.9, 0.01, 0.06, 0.02, 0.01]).log().expand(LAYERS, 1, -1).clone()
    case = looking(Shown(tokens), rows)
    policy = Hermes(target=1.0, summarise=False)
    assert kept(policy, case, 2, layer=9) == {0, 2}
    assert torch.allclose(
        scores(case.contents())[9, 0, 1:], torch.tensor([0.0, 1.0, 0.2, 0.0]), atol=1e-4
    )


def test_the_summary_is_the_mean_of_what_went_at_the_place_of_its_newest():
    values = [(float(i), 0.0, 1.0, 0.0) for i in range(5)]
    tokens = [Token(i, (i % 3, 0), value=values[i]) for i in range(5)]
    rows = torch.tensor([0.1, 0.1, 0.1, 0.3, 0.4]).expand(LAYERS, 1, -1).clone()
    rows[9, 0] = torch.tensor([0.1, 0.3, 0.1, 0.1, 0.4])
    case = looking(Shown(tokens), rows.log())
    for key in case.keys.values():  # a part that turns with the row, which no query looks at
        assert isinstance(key, list)
        key[1] = 1.0
    found = retained(Hermes(target=1.0), case, 3)
    made = found.summaries
    assert made is not None
    assert int(found.stay[9].sum()) == 2
    deep = [0, 2, 3]  # what the deepest layer gives up
    gone = sorted({int(x) for x in (~found.stay).nonzero()[:, 2]})
    assert gone == [0, 1, 2, 3], "the layers above give up 1 instead of 3"
    assert made.tokens.positions.tolist() == [list(tokens[3].position)]
    assert (made.tokens.kind.tolist(), made.tokens.group.tolist()) == ([SUMMARY], [3])
    assert torch.allclose(made.values[9, 0, 0], torch.tensor([5 / 3, 0, 1.0, 0]), atol=1e-5)
    contents = case.contents()
    bare = contents.bare_keys(9)[0, deep].mean(0, keepdim=True)
    wanted = ROTATION.put(bare, torch.from_numpy(made.tokens.positions))
    assert torch.allclose(made.keys[9, 0], wanted, atol=1e-5)
    turned = contents.keys(9)[0, deep].mean(0)
    assert not torch.allclose(made.keys[9, 0, 0], turned, atol=1e-2), "rotated keys differ"


def test_the_summary_takes_its_place_from_the_target():
    found = retained(Hermes(target=0.75), shown([1 / 20] * 20), 12)
    assert found.summaries is not None
    assert set(found.stay.sum(-1).flatten().tolist()) == {8}
    bare = retained(Hermes(target=0.75, summarise=False), shown([1 / 20] * 20), 12)
    assert bare.summaries is None
    assert set(bare.stay.sum(-1).flatten().tolist()) == {9}


@pytest.mark.parametrize("target", [0.0, 2.0])
def test_a_target_outside_its_range_is_refused(target):
    with pytest.raises(ValueError, match="target"):
        Hermes(target=target)
