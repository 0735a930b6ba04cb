"""StreamMem by hand: what the proxy question looks at stays, what goes leaves a prototype."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from memory.policies.stream_mem import StreamMem
from memory.table import SUMMARY
from tests.memory.policies.tables import ROTATION, SINK, Shown, Token, kept, looking, retained

torch.set_num_threads(1)

E1, E2, E3 = (1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0)


def steps(count: int, size: int = 1) -> list[Token]:
    return [Token(group, (cell // 4, cell % 4)) for group in range(count) for cell in range(size)]


def test_what_the_proxy_question_looks_at_stays_however_old_it_is():
    shown = looking(Shown(steps(6)), torch.tensor([[[5.0, 1, 2, 6, 3, 4]]]))
    assert kept(StreamMem(target=1.0, prototypes=False), shown, 3) == {0, 3, 5}


def test_heads_of_a_layer_agree_by_the_mean_and_layers_decide_alone():
    """Shares of attention 0.9 and 0.1 add up to more than twice 0.45."""
    shares = torch.tensor([[[0.90, 0.05, 0.05], [0.04, 0.48, 0.48]], [[0.1, 0.2, 0.7]] * 2])
    shown = looking(Shown(steps(3)), shares.log())
    policy = StreamMem(target=1.0, prototypes=False)
    for head in range(2):
        assert kept(policy, shown, 1, layer=0, head=head) == {0}
        assert kept(policy, shown, 1, layer=1, head=head) == {2}


def test_the_mean_over_the_queries_counts():
    shown = looking(Shown(steps(3)), torch.tensor([[[3.0, 1.0, 0.0]]]))
    shown.queries = torch.cat([shown.queries, -shown.queries, -shown.queries], 1)
    assert kept(StreamMem(target=1.0, prototypes=False), shown, 1) == {2}


def test_the_sink_stays_and_the_target_is_kept_with_its_prototypes():
    tokens = [Token(SINK, None), *steps(8, 2)]
    scores = torch.linspace(0, 3, 17)[None, None]
    found = retained(StreamMem(target=0.75), looking(Shown(tokens), scores), 12)
    assert found.stay[0, 0, 0]
    assert found.summaries is not None
    assert int(found.stay.sum()) + len(found.summaries.tokens) == 9


def prototype(shares: list[float], limit: int = 2):
    """One step of three places that loses some of them, then one that attention prefers."""
    tokens = [Token(0, (0, 0), E1, E1), Token(0, (0, 1), E2, E2), Token(0, (2, 2), E3, E3),
              Token(1, (0, 0))]  # fmt: skip
    shown = looking(Shown(tokens), torch.tensor([[shares]]).log())
    for token in range(3):  # a part that turns with the row, which the question does not look at
        shown.keys[0, 0, token] = [*shown.keys[0, 0, token][:1], 1.0, *shown.keys[0, 0, token][2:]]
    return shown, retained(StreamMem(target=1.0), shown, limit)


def test_a_prototype_is_the_mean_of_bare_keys_and_values_by_attention():
    shown, found = prototype([0.24, 0.12, 0.04, 0.60])
    made = found.summaries
    assert made is not None
    assert made.tokens.kind.tolist() == [SUMMARY]
    assert (made.tokens.group.tolist(), made.tokens.time.tolist()) == ([0], [0.0])
    assert made.tokens.positions.tolist() == [[10, 11, 11]], "the mean of rows 0, 0, 2"
    weights = torch.tensor([0.6, 0.3, 0.1])
    assert torch.allclose(made.values[0, 0, 0, :3], weights, atol=1e-5)
    bare = torch.tensor([shown.keys[0, 0, token] for token in range(3)])
    wanted = ROTATION.put((weights[:, None] * bare).sum(0, keepdim=True),
                          torch.from_numpy(made.tokens.positions))  # fmt: skip
    assert torch.allclose(made.keys[0, 0], wanted, atol=1e-5)
    stored = ROTATION.put(bare, torch.tensor([shown.tokens[i].position for i in range(3)]))
    averaged = (weights[:, None] * stored).sum(0)
    assert not torch.allclose(made.keys[0, 0, 0], averaged, atol=1e-2), "rotated keys differ"


def test_each_head_averages_by_its_own_attention():
    tokens = [Token(0, (0, 0), E1, E1), Token(0, (0, 1), E2, E2), Token(1, (0, 0))]
    shares = torch.tensor([[[0.3, 0.1, 0.6], [0.1, 0.3, 0.6]]])
    found = retained(StreamMem(target=1.0), looking(Shown(tokens), shares.log()), 2)
    assert found.summaries is not None
    means = found.summaries.values[0, :, 0, :2]
    assert torch.allclose(means, torch.tensor([[0.75, 0.25], [0.25, 0.75]]), atol=1e-5)


def test_a_step_has_one_prototype_at_most():
    """The old step lost something before: its prototype stands for it and makes no other."""
    tokens = [Token(0, (0, 0)), Token(0, (0, 1)), Token(0, (1, 1), kind=SUMMARY),
              Token(1, (0, 0)), Token(1, (0, 1))]  # fmt: skip
    shown = looking(Shown(tokens), torch.tensor([[[0.0, 0.0, 5.0, 5.0, 5.0]]]))
    found = retained(StreamMem(target=1.0), shown, 4)
    assert found.summaries is None
    assert set(found.stay[0, 0].nonzero()[:, 0].tolist()) >= {2, 3, 4}


def test_a_prototype_competes_like_any_token():
    tokens = [Token(0, (1, 1), kind=SUMMARY), Token(1, (0, 0)), Token(1, (0, 1))]
    shown = looking(Shown(tokens), torch.tensor([[[0.0, 5.0, 5.0]]]))
    assert kept(StreamMem(target=1.0), shown, 2) == {1, 2}


def test_a_step_that_loses_only_marks_leaves_nothing():
    tokens = [Token(0, None), Token(0, (0, 0)), Token(1, None), Token(1, (0, 0))]
    shown = looking(Shown(tokens), torch.tensor([[[0.0, 5.0, 0.0, 5.0]]]))
    found = retained(StreamMem(target=1.0), shown, 2)
    assert found.summaries is None
    assert found.stay[0, 0].tolist() == [False, True, False, True]


def test_prototypes_take_half_of_the_room_at_most_and_the_newest_steps_have_them():
    scores = torch.tensor([[[float(cell == 0) for _ in range(10) for cell in range(3)]]])
    found = retained(StreamMem(target=1.0), looking(Shown(steps(10, 3)), scores), 8)
    assert found.summaries is not None
    assert len(found.summaries.tokens) == 4
    assert found.summaries.tokens.group.tolist() == [6, 7, 8, 9]
    assert int(found.stay.sum()) == 4


def test_a_head_that_holds_less_averages_what_it_holds():
    tokens = [Token(0, (0, 0), E1, E1), Token(0, (0, 1), E2, E2), *steps(3)[1:]]
    shares = torch.tensor([[[0.2, 0.2, 0.3, 0.3], [0.2, 0.2, 0.3, 0.3]]])
    shown = looking(Shown(tokens), shares.log())
    shown.heads = torch.tensor([[[0, 1, 2, 3], [1, 2, 3, -1]]])
    found = retained(StreamMem(target=1.0), shown, 3)
    assert found.summaries is not None
    means = found.summaries.values[0, :, 0, :2]
    assert torch.allclose(means, torch.tensor([[0.5, 0.5], [0.0, 1.0]]), atol=1e-5)
    assert np.isfinite(found.summaries.keys.numpy()).all()


def test_a_step_of_whose_picture_some_head_holds_nothing_leaves_no_prototype():
    """There is nothing to average: a key of zeros would draw attention to a value of zeros."""
    tokens = [Token(0, (0, 0)), Token(0, (0, 1)), *steps(4)[1:]]
    shares = torch.tensor([[[0.1, 0.1, 0.2, 0.3, 0.3]] * 2])
    shown = looking(Shown(tokens), shares.log())
    shown.heads = torch.tensor([[[0, 1, 2, 3, 4], [2, 3, 4, -1, -1]]])
    assert retained(StreamMem(target=1.0), shown, 4).summaries is None
    shown.heads = torch.tensor([[[0, 1, 2, 3, 4], [2, 3, 4, 1, -1]]])
    found = retained(StreamMem(target=1.0), shown, 4).summaries
    assert found is not None
    assert found.tokens.group.tolist() == [0]


@pytest.mark.parametrize("target", [0.0, -1.0, 1.5])
def test_a_target_outside_its_range_is_refused(target):
    with pytest.raises(ValueError, match="target"):
        StreamMem(target=target)
