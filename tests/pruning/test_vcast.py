"""V-CAST against values worked out by hand from its specification."""

from __future__ import annotations

import math

import pytest
import torch

from pruning.budget import Debt, Purse, split_evenly
from pruning.vcast import VCast, anchors, curvatures
from tests.pruning.running import run
from tests.pruning.scenes import stream, tokens


def test_dual_anchor_of_a_worked_example():
    """Tokens (3, 0), (0, 4), (0, 0): mean (1, 4/3), unit mean (.6, .8)."""
    features = torch.tensor([[[3.0, 0.0], [0.0, 4.0], [0.0, 0.0]]])
    scores = anchors(features, torch.tensor([[0.6, 0.8]]))
    # one minus cosine .4, .2, 1 (a zero vector has cosine 0); norms 3, 4, 0 scaled .75, 1, 0
    assert scores[0].tolist() == pytest.approx([1.15, 1.2, 1.0], abs=1e-5)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ([(0, 0), (1, 0), (2, 0)], 0.0),  # straight on
        ([(0, 0), (1, 0), (1, 1)], 1.0),  # a right angle
        ([(0, 0), (1, 0), (0, 0)], 2.0),  # back again
        ([(0, 0), (0, 0), (0, 0)], 1.0),  # standing still
    ],
)
def test_curvature_of_known_turns(path, expected):
    trail = torch.tensor(path, dtype=torch.float32)
    assert curvatures(trail, range(1, 2)) == pytest.approx([expected], abs=1e-5)


def test_curvature_is_one_where_the_path_is_too_short_to_turn():
    assert curvatures(torch.tensor([[0.0], [1.0]]), range(-1, 3)) == [1.0] * 4


def test_a_path_says_of_each_of_its_points_what_three_of_them_say_alone():
    trail = torch.randn(9, 16, generator=torch.Generator().manual_seed(1))
    for gate in (0.0, 0.05):
        alone = [curvatures(trail[n - 1 : n + 2], range(1, 2), gate)[0] for n in range(1, 8)]
        assert curvatures(trail, range(9), gate) == pytest.approx([1.0, *alone, 1.0], abs=1e-6)
        assert curvatures(trail, range(3, 5), gate) == pytest.approx(alone[2:4], abs=1e-6)


def test_noise_around_a_fixed_mean_curves_by_one_and_a_half():
    """E[cos] of successive differences of independent noise is -1/2: the known weakness."""
    generator = torch.Generator().manual_seed(0)
    values = curvatures(torch.randn(400, 64, generator=generator), range(1, 399))
    assert sum(values) / len(values) == pytest.approx(1.5, abs=0.03)


def test_a_smooth_pan_hardly_curves_and_a_cut_does():
    turn = torch.tensor([[math.cos(a), math.sin(a)] for a in torch.linspace(0, 1, 20).tolist()])
    assert max(curvatures(turn, range(1, 19))) < 0.01
    cut = torch.cat([turn[:10], torch.tensor([[-1.0, 0.3], [-1.0, 0.31], [-1.0, 0.31]])])
    assert max(curvatures(cut, range(9, 11))) > 0.3


def test_a_purse_spends_by_energy_and_pays_its_debts():
    purse, spent = Purse(), []
    for step in range(200):
        count, purse = purse.spend(4.0 if step % 10 == 0 else 1.0, 10, 3.0, 40)
        spent.append(count)
    assert spent[150] > 2 * spent[151], "the energetic step gets more"
    assert abs(sum(spent) - 2000) <= 40


@pytest.mark.parametrize("spread", [1.0, 1.0001])
def test_with_a_spread_of_one_every_step_gets_its_share(spread):
    purse = Purse()
    for energy in (1.0, 9.0, 0.1, 5.0):
        count, purse = purse.spend(energy, 10, spread, 40)
        assert count == 10


def test_an_even_split_is_exact_and_differs_by_one_at_most():
    assert split_evenly(11, 4) == [3, 3, 3, 2]
    assert split_evenly(8, 4) == [2, 2, 2, 2]


@pytest.mark.parametrize(
    "wrong", [{"lookahead": 2}, {"temperature": 0.0}, {"spread": 0.5}, {"gate": -1}]
)
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        VCast(**wrong)


@pytest.mark.parametrize(
    ("scale", "expected"),
    [(1.0, 1 / 1.05), (0.05, 0.5), (0.001, 0.001 / 0.051)],
)
def test_the_gate_weighs_a_turn_by_the_length_of_its_legs(scale, expected):
    corner = scale * torch.tensor([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)])
    assert curvatures(corner, range(1, 2), gate=0.05) == pytest.approx([expected], rel=1e-3)
    assert curvatures(torch.zeros(3, 2), range(1, 2), gate=0.05) == [0.0]


def spent(policy: VCast) -> tuple[float, float]:
    """Tokens per step of a still but noisy scene, and of the two steps around a cut in it."""
    generator = torch.Generator().manual_seed(3)
    first, second = torch.randn(2, 40, 64, generator=generator)
    scene = torch.cat([first.expand(60, -1, -1), second.expand(60, -1, -1)])
    shown = tokens(scene + 0.01 * torch.randn(120, 40, 64, generator=generator), 5, 8)
    counts = (policy.keep(shown, 10 * 120, policy.start()).rows // 40).bincount(minlength=120)
    return float(counts[30:58].float().mean()), float(counts[59:61].float().mean())


def test_ungated_noise_outbids_a_cut_and_gated_it_does_not():
    """Noise turns by 1.5 at every step and a cut by 1: the published weakness, and our gate."""
    still, cut = spent(VCast(lookahead=1))
    assert still > cut
    still, cut = spent(VCast(lookahead=1, gate=0.05))
    assert cut > 1.5 * still


def plain_counts(features: torch.Tensor, lookahead: int, share: float) -> list[int]:
    """Tokens per step from the formulas, in float64: curvature, running mean, clip and debt."""
    x = features.double().mean(dim=1)
    x = x / x.norm(dim=1, keepdim=True)
    mean, owed, counts = 0.0, 0.0, []
    for step in range(len(x)):
        centre = step if lookahead else step - 1
        bend = 1.0
        if 1 <= centre < len(x) - 1:
            a, b = x[centre] - x[centre - 1], x[centre + 1] - x[centre]
            bend = 1 - float(a @ b / max(float(a.norm() * b.norm()), 1e-6))
        energy = math.exp(bend / 0.7)
        mean += (energy - mean) / min(step + 1, 32)
        wanted = share * min(max(energy / mean, 1 / 3), 3) + owed / 8
        counts.append(min(max(round(wanted), 1), features.shape[1]))
        owed += share - counts[-1]
    return counts


@pytest.mark.parametrize("lookahead", [0, 1])
@pytest.mark.parametrize("seed", range(4))
def test_budgets_over_a_stream_equal_a_plain_statement(seed, lookahead):
    features = stream(seed, 60)
    counts = run(VCast(lookahead=lookahead), features, 5, [3] * 20).step.bincount()
    assert counts.tolist() == plain_counts(features, lookahead, 5.0)


def test_a_debt_is_paid_back_and_bounded():
    debt = Debt()
    counts = []
    for wanted in [40.0, *[5.0] * 100]:
        count, debt = debt.settle(wanted, 10.0, 40)
        counts.append(count)
    assert counts[0] == 40 and min(counts[1:5]) == 1, "an overdraft is paid at once, one is left"
    assert counts[-1] == 10, "and wanting too little for ever is made up for"
    assert abs(sum(counts) - 10 * len(counts)) <= 8 * 10
