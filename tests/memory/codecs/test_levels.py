"""Scalar quantisers: worked values, and errors as their formulas say them."""

from __future__ import annotations

from itertools import pairwise
from math import pi, sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.codecs.fitted import Fitted, step_of
from memory.codecs.minmax import MinMax
from memory.codecs.signs import Signs
from memory.codecs.ternary import Ternary
from memory.codecs.vidkv_published import UnscaledTernary, ZeroOrScale

torch.set_num_threads(1)

HALF_ULP = 2.0**-8  # of bfloat16, relative
numbers = st.floats(-1000, 1000, width=32)
groups = st.lists(numbers, min_size=2, max_size=64)


def shaped(row) -> torch.Tensor:
    """One group, [1, 1, 1, g]."""
    return torch.tensor(row, dtype=torch.float32).view(1, 1, 1, -1)


def through(levels, x, **changed) -> torch.Tensor:
    """Encoded and decoded, with some planes replaced in between."""
    planes = levels.encode(x) | changed
    return levels.decode(planes, x.shape[2], x.shape[3])


def normal(seed: int = 0, group: int = 32) -> torch.Tensor:
    return torch.randn(1, 64, 32, group, generator=torch.Generator().manual_seed(seed))


def lost(levels, x) -> float:
    return float((through(levels, x) - x).norm() / x.norm())


def minmax_bound(x, planes) -> torch.Tensor:
    least, greatest = x.aminmax(dim=-1)
    rounding = HALF_ULP * (least.abs() + greatest - least)
    return torch.maximum(planes["scale"].float() / 2, rounding) * (1 + 1e-4) + 1e-30


def within_minmax_bound(x, planes, decoded) -> bool:
    return bool(((decoded - x).abs() <= minmax_bound(x, planes)[..., None]).all())


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 8])
@settings(max_examples=40)
@given(row=groups)
def test_minmax_errs_by_half_a_step_at_most(bits, row) -> None:
    x, levels = shaped(row), MinMax(bits)
    assert within_minmax_bound(x, levels.encode(x), through(levels, x))


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.1, 2])
def test_a_wrong_scale_breaks_the_bound_of_minmax(factor) -> None:
    x, levels = normal(), MinMax(2)
    planes = levels.encode(x)
    wrong = through(levels, x, scale=planes["scale"] * factor)
    assert within_minmax_bound(x, planes, through(levels, x))
    assert not within_minmax_bound(x, planes, wrong)


def test_numbers_on_the_levels_of_minmax_come_back_exactly() -> None:
    x = shaped([-1.5, -1.0, -0.5, 0.0, -1.0, 0.0])
    assert torch.equal(through(MinMax(2), x), x)
    assert MinMax(2).encode(x)["scale"].item() == 0.5
    assert MinMax(2).encode(x)["zero"].item() == -1.5


def test_two_codes_of_minmax_worked_by_hand() -> None:
    x = shaped([0.0, 3.0, 1.4, 1.6])  # scale 1, codes 0 3 1 2
    planes = MinMax(2).encode(x)
    assert planes["codes"].flatten().tolist() == [0 | 3 << 2 | 1 << 4 | 2 << 6]
    assert through(MinMax(2), x).flatten().tolist() == [0, 3, 1, 2]


@pytest.mark.parametrize("levels", [MinMax(2), Fitted(2)])
@pytest.mark.parametrize("value", [0.0, 7.0, -1000.0, 2.0**-20])
def test_a_constant_group_comes_back_exactly(levels, value) -> None:
    x = torch.full((1, 1, 1, 64), value)
    assert torch.equal(through(levels, x), x)


@settings(max_examples=40)
@given(groups)
def test_signs_lose_what_the_formula_says(row) -> None:
    x = shaped(row)
    scale = Signs().encode(x)["scale"].double().item()
    expected = x.double().square().sum() - 2 * scale * x.double().abs().sum() + len(row) * scale**2
    measured = (through(Signs(), x).double() - x.double()).square().sum()
    # Zeros come back as -s: they lose s^2 each, which the formula counts.
    assert measured.item() == pytest.approx(expected.item(), rel=1e-5, abs=1e-6)
    assert scale == pytest.approx(x.abs().double().mean().item(), rel=HALF_ULP * 1.01, abs=1e-30)


@pytest.mark.parametrize("levels", [Signs(), Ternary()])
@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_no_other_scale_loses_less(levels, factor) -> None:
    x = normal()
    right = (through(levels, x) - x).square().sum(-1)
    scale = levels.encode(x)["scale"]
    wrong = (through(levels, x, scale=scale * factor) - x).square().sum(-1)
    assert bool((wrong > right).all())


@settings(max_examples=40)
@given(groups)
def test_ternary_numbers_lose_what_the_formula_says(row) -> None:
    x, wide = shaped(row), shaped(row).double()
    threshold = 0.7 * x.abs().mean()
    kept = (x.abs() > threshold).double()
    scale = Ternary(0.7).encode(x)["scale"].double().item()
    expected = (wide.square() - 2 * scale * wide.abs() * kept + scale**2 * kept).sum()
    measured = (through(Ternary(0.7), x).double() - wide).square().sum()
    assert measured.item() == pytest.approx(expected.item(), rel=1e-5, abs=1e-6)


def test_a_ternary_group_worked_by_hand() -> None:
    # mean |x| = 2, threshold 1.4: 4, -3 and 2 stay, and their mean size is 3.
    x = shaped([4.0, -3.0, 2.0, 0.0, 1.0])
    assert through(Ternary(0.7), x).flatten().tolist() == [3, -3, 3, 0, 0]
    # gamma 0.4: threshold 0.8, the 1 stays too: (4 + 3 + 2 + 1) / 4.
    assert through(Ternary(0.4), x).flatten().tolist() == [2.5, -2.5, 2.5, 0, 2.5]


@pytest.mark.parametrize(
    ("levels", "expected"),
    [(Signs(), sqrt(1 - 2 / pi)), (Ternary(), 0.433), (MinMax(2), 0.392), (ZeroOrScale(), 0.823)],
    ids=["signs", "ternary", "minmax", "zero or scale"],
)
def test_gaussian_numbers_lose_what_theory_and_measurement_say(levels, expected) -> None:
    assert lost(levels, normal()) == pytest.approx(expected, abs=0.015)


def test_published_one_bit_makes_negative_numbers_zero() -> None:
    x = shaped([3.0, -1.0, 2.0, -2.0])
    assert through(ZeroOrScale(), x).flatten().tolist() == [2, 0, 2, 0]
    assert through(Signs(), x).flatten().tolist() == [2, -2, 2, -2]


def test_published_ternary_numbers_forget_their_size() -> None:
    x = normal()
    assert torch.equal(through(UnscaledTernary(0.7), 100 * x), through(UnscaledTernary(0.7), x))
    assert lost(UnscaledTernary(0.7), 100 * x) > 0.98
    assert lost(Ternary(0.7), 100 * x) == pytest.approx(lost(Ternary(0.7), x), abs=0.002)


def fitted_bound(x, bits: int) -> torch.Tensor:
    """The law of `Fitted`: squared error per group, from the group's ends alone."""
    least, greatest = x.aminmax(dim=-1)
    first = (greatest - least) / (2**bits - 1) * 2**0.25
    each = torch.maximum(first / 2, HALF_ULP * ((least + greatest) / 2).abs())
    return x.shape[-1] * each.square() * (1 + 1e-4) + 1e-12


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("candidates", [1, 8])
@settings(max_examples=40)
@given(row=groups)
def test_fitted_steps_lose_no_more_than_the_first_candidate_may(bits, candidates, row) -> None:
    x = shaped(row)
    error = (through(Fitted(bits, candidates), x) - x).square().sum(-1)
    assert bool((error <= fitted_bound(x, bits)).all())


@settings(max_examples=40)
@given(groups)
def test_trying_more_steps_never_loses_more(row) -> None:
    x = shaped(row)
    errors = [(through(Fitted(2, n), x) - x).square().sum().item() for n in (1, 2, 4, 8)]
    assert all(later <= earlier * (1 + 1e-5) for earlier, later in pairwise(errors))


@settings(max_examples=40)
@given(groups)
def test_the_first_step_spans_the_group_and_hardly_more(row) -> None:
    x = shaped(row)
    exact = (x.max() - x.min()).item() / 3
    step = step_of(Fitted(2, 1).encode(x)["step"]).item()
    if exact < 2.0**-31:
        assert step <= 2.0**-31
    else:
        assert exact * (1 - 1e-5) <= step <= exact * 2**0.25 * (1 + 1e-5)


@pytest.mark.parametrize("shift", [-2, -1, 1, 2])
def test_no_step_nearby_loses_less_than_the_fitted_one(shift) -> None:
    x = normal(group=64)
    planes = Fitted(2).encode(x)
    right = (through(Fitted(2), x) - x).square().sum()
    wrong = through(Fitted(2), x, step=(planes["step"].int() + shift).to(torch.uint8))
    assert (wrong - x).square().sum() > right * 1.02


def test_a_fitted_step_gives_the_ends_of_a_group_away_for_its_middle() -> None:
    x = normal(group=64)
    spanning, fitted = (step_of(Fitted(2, n).encode(x)["step"]).mean() for n in (1, 8))
    assert 0.5 < fitted / spanning < 0.7
    assert lost(Fitted(2), x) < 0.35 < 0.45 < lost(Fitted(2, 1), x)


def test_a_fitted_group_worked_by_hand() -> None:
    x = shaped([-3.0, -1.0, 1.0, 3.0])  # centre 0, step 2 = 2^((132 - 128) / 4)
    planes = Fitted(2).encode(x)
    assert planes["step"].item() == 132 and planes["centre"].item() == 0
    assert planes["codes"].flatten().tolist() == [0 | 1 << 2 | 2 << 4 | 3 << 6]
    assert torch.equal(through(Fitted(2), x), x)
