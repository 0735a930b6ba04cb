"""SharpV's memory stage by hand: which layers and tokens are forgotten, and what is left."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from memory.policies.sharp_v import SharpVMemory
from tests.memory.policies.running import SHAPE, Run
from tests.memory.policies.tables import SINK, Shown, Token, kept

NAN = float("nan")


def settled(
    policy: SharpVMemory, likeness: list[list[float]], layer: int, groups=(0, 0, 0)
) -> set[int]:
    """A sink, a mark and three places of which `likeness` [layers, 3] is known."""
    tokens = [Token(SINK, None), Token(0, None), *(Token(g, (0, i)) for i, g in enumerate(groups))]
    shown = Shown(tokens, layers=len(likeness), kv_heads=2).contents()
    known = torch.tensor([[NAN, NAN, *cosines] for cosines in likeness])
    stay = policy.settle(replace(shown, likeness=known))
    assert stay is not None
    assert torch.equal(stay[:, 0], stay[:, 1]), "heads of a layer agree"
    return set(shown.rows[layer, 0][stay[layer, 0]].tolist())


def test_a_layer_that_sees_little_of_a_step_loses_all_of_it_and_no_mark():
    policy = SharpVMemory(floor=0.0)
    likeness = [[1.0, 1.0, 1.0], [0.5, 0.1, 0.1], [0.4, 0.1, 0.0]]  # means 1, 0.23, 0.17
    assert settled(policy, likeness, 0) == {0, 1, 2, 3, 4}
    assert settled(policy, likeness, 1) == {0, 1, 2, 3, 4}
    assert settled(policy, likeness, 2) == {0, 1}


def test_single_tokens_are_given_up_where_that_is_wanted():
    policy = SharpVMemory(granularity="token", floor=0.0)
    likeness = [[1.0, 1.0, 1.0], [0.2, 0.19, -0.5]]
    assert settled(policy, likeness, 0) == {0, 1, 2, 3, 4}
    assert settled(policy, likeness, 1) == {0, 1, 2}


@pytest.mark.parametrize("granularity", ["layer", "token"])
def test_the_best_of_a_step_stay_however_unlike(granularity):
    likeness = [[0.0, 0.1, -0.2]]
    assert settled(SharpVMemory(granularity=granularity, floor=0.01), likeness, 0) == {0, 1, 3}
    assert settled(SharpVMemory(granularity=granularity, floor=0.5), likeness, 0) == {0, 1, 2, 3}
    assert settled(SharpVMemory(granularity=granularity, floor=1.0), likeness, 0) == {0, 1, 2, 3, 4}


def test_steps_of_a_segment_are_judged_one_by_one():
    likeness = [[0.3, 0.1, 0.1]]
    assert settled(SharpVMemory(floor=0.0), likeness, 0, groups=(0, 1, 1)) == {0, 1, 2}


def test_a_layer_that_keeps_less_of_each_step_remembers_longer():
    tokens = [Token(SINK, None), *(Token(g, (0, i)) for g in range(3) for i in range(2))]
    whole, sparse = [0, 1, 2, 3, 4, 5, 6], [0, 1, 3, 5, 6, -1, -1]  # one of steps 0 and 1
    shown = Shown(tokens, heads=torch.tensor([[whole], [sparse]]))
    assert kept(SharpVMemory(), shown, 5, layer=0) == {0, 3, 4, 5, 6}
    assert kept(SharpVMemory(), shown, 5, layer=1) == {0, 1, 3, 5, 6}
    assert kept(SharpVMemory(), shown, 4, layer=1) == {0, 3, 5, 6}
    assert kept(SharpVMemory(), shown, 7, layer=0) == set(whole)


class Fading(Run):
    """Places are less alike the later they stand, in all layers but the first."""

    def likeness(self, places: int) -> torch.Tensor:
        cosines = torch.linspace(1.0, -0.5, places).expand(SHAPE.layers, -1).clone()
        cosines[0] = 1.0
        return cosines


def test_a_memory_gives_up_what_came_in_at_once_also_of_a_step_cut_short():
    run = Fading(SharpVMemory(granularity="token", floor=0.0), capacity=12)
    run.watch(list(range(16)))  # of a mark and 16 places the last 9 enter
    assert sorted(run.held(0, 0))[3:] == [(4, 4 + i // 4, 4 + i % 4) for i in range(7, 16)]
    assert sorted(run.held(1, 0))[3:] == [(4, 5, 7), (4, 6, 4)], "1 - 0.1 x place is 0.2 at 8"
    run.watch([0, 1, 2])
    assert len(run.held(0, 0)) == 3 + 4
    assert len(run.held(1, 1)) == 3 + 2 + 3, "which had room for both steps"


@pytest.mark.parametrize("wrong", [{"threshold": 2.0}, {"floor": -0.1}, {"granularity": "head"}])
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="in|is"):
        SharpVMemory(**wrong)
