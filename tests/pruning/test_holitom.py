"""HoliTom against segmentations tried one by one, and merges worked out by hand."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
import torch

from pruning.holitom import HoliTom
from pruning.selectors.holitom_inner import HoliTomInner
from pruning.selectors.selector import Question
from pruning.windows import segment
from tests.pruning.running import run
from tests.pruning.scenes import M, looks, stream, tokens


def saved(alike: torch.Tensor, bounds: list[tuple[int, int]]) -> int:
    return sum(
        int(alike[start : stop - 1].all(dim=0).sum()) * (stop - start - 1)
        for start, stop in bounds
        if stop - start > 1
    )


@pytest.mark.parametrize("seed", range(15))
def test_no_other_segmentation_saves_more(seed):
    steps = 7
    alike = torch.rand(steps - 1, 12, generator=torch.Generator().manual_seed(seed)) < 0.8
    found = segment(alike, steps)
    assert found.bounds[0][0] == 0 and found.bounds[-1][1] == steps
    assert all(one[1] == other[0] for one, other in pairwise(found.bounds))
    assert found.saved == saved(alike, found.bounds)
    for cuts in range(steps):
        for inner in combinations(range(1, steps), cuts):
            other = list(pairwise([0, *inner, steps]))
            assert saved(alike, other) <= found.saved


def test_windows_of_a_worked_example():
    """Place 0 stands for three steps, place 1 for the first two only: 2 * 1 beats 1 * 2 by none."""
    alike = torch.tensor([[True, True], [True, False]])
    # [0, 2) saves 2, [0, 3) saves 2 * 1: equal, so the shorter last window is taken
    assert segment(alike, 3) == ([(0, 2), (2, 3)], 2)
    assert segment(torch.ones(3, 5, dtype=torch.bool), 4) == ([(0, 4)], 15)
    assert segment(torch.zeros(3, 5, dtype=torch.bool), 4).saved == 0
    assert segment(torch.zeros(0, 5, dtype=torch.bool), 1) == ([(0, 1)], 0)


def test_what_stands_becomes_its_mean_over_the_window_at_its_first_step():
    """Two steps, four places: 0 and 1 stand (slightly changed), 2 and 3 change."""
    first = torch.tensor([[4.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0]])
    second = torch.tensor([[4.0, 0.4, 0.0], [0.0, 2.2, 0.1], [1.0, 0.0, 0.0], [-1.0, 1.0, 1.0]])
    attention = torch.tensor([[0.0, 0.0, 0.6, 0.4], [0.0, 0.0, 0.3, 0.7]])
    shown = tokens(torch.stack([first, second]), 1, 4, attention)
    # dense 8, merging saves 2, left 6; a budget of 6 keeps all of that
    pruned = shown.select(*_kept(HoliTom(), shown, 6))
    assert pruned.index.tolist() == [0, 1, 2, 3, 6, 7]
    assert torch.allclose(pruned.features[:2], (first[:2] + second[:2]) / 2)
    assert torch.equal(pruned.features[2:], torch.cat([first[2:], second[2:]]))
    # a budget of 3 is half of what is left: one moving place a step, one cluster of the two
    pruned = shown.select(*_kept(HoliTom(), shown, 3))
    moving = [2, 7]
    assert pruned.index.tolist()[1:] == moving and int(pruned.index[0]) in (0, 1)
    means = (first[:2] + second[:2]) / 2
    centre = means[int(pruned.index[0])]
    assert torch.allclose(pruned.features[0], 0.6 * centre + 0.4 * means.mean(dim=0))


def _kept(policy, shown, budget):
    rows, _, merge = policy.keep(shown, budget, policy.start())
    return rows, merge


def test_moving_places_are_chosen_by_attention():
    features = torch.randn(3, M, 64, generator=torch.Generator().manual_seed(1))
    attention = torch.rand(3, M, generator=torch.Generator().manual_seed(2))
    rows, merge = _kept(HoliTom(), tokens(features, attention=attention), 15)
    assert merge is None, "nothing stands in independent noise"
    for step in range(3):
        best = attention[step].argsort(descending=True)[:5].sort().values + step * M
        assert rows[rows // M == step].tolist() == best.tolist()


def test_what_still_stands_in_the_next_segment_is_not_given_again():
    features = stream(0, 1).expand(6, -1, -1).contiguous()
    kept = run(HoliTom(), features, 10, [2, 2, 2], looks(6)).step.bincount(minlength=6)
    assert int(kept[0]) == M, "left 20 of 40, budget 20: all of it, once"
    assert kept[1:].tolist() == [1] * 5, "then only what keeps a step from being empty"
    features[4:] = stream(50, 1)
    kept = run(HoliTom(), features, 10, [2, 2, 2], looks(6)).step.bincount(minlength=6)
    assert int(kept[4]) == M, "a new scene is"


def test_slow_change_is_given_again_once_it_is_far_from_what_was_given():
    """Coverage compares with what was emitted, not with the step before."""
    angle = torch.arange(40)[:, None] * 0.1 + torch.zeros(M)  # cos .8 is passed after 7 steps
    features = torch.stack([angle.cos(), angle.sin()], dim=-1)
    kept = run(HoliTom(), features, 20, [1] * 40, looks(40)).step.bincount(minlength=40)
    assert (kept == M).nonzero()[:, 0].tolist() == [0, 7, 14, 21, 28, 35]


@pytest.mark.parametrize("wrong", [{"tau": 2.0}, {"beta": -0.1}])
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        HoliTom(**wrong)


@pytest.mark.parametrize("seed", range(5))
def test_the_inner_merge_averages_one_after_the_other(seed):
    generator = torch.Generator().manual_seed(seed)
    features = stream(seed, 2).reshape(1, 2 * M, -1)
    attention = torch.rand(2 * M, generator=generator)
    shown = tokens(features, 1, 2 * M)
    question = Question(torch.ones(1, 16), attention)
    rows, merge = HoliTomInner().select(shown, question, 10)
    assert rows.tolist() == attention.argsort(descending=True)[:10].sort().values.tolist()
    states = {row: features[0, row].double() for row in rows.tolist()}
    unit = torch.nn.functional.normalize(features[0].double(), dim=-1)
    for row in range(2 * M):
        if row not in states:
            target = max(states, key=lambda kept: float(unit[kept] @ unit[row]))
            states[target] = (states[target] + features[0, row]) / 2
    expected = torch.stack([states[row] for row in sorted(states)])
    assert torch.allclose(shown.select(rows, merge).features.double(), expected, atol=1e-5)
