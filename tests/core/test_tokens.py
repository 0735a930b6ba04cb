"""Selecting and merging visual tokens: every tensor that belongs to a token goes along."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.tokens import Grid, Merge, VisualTokens, concatenate


def tokens(n: int = 6, dtype: torch.dtype = torch.float32, seed: int = 0) -> VisualTokens:
    generator = torch.Generator().manual_seed(seed)
    features, one, two = (torch.randn(n, 4, generator=generator).to(dtype) for _ in range(3))
    share = torch.rand(n, generator=generator)
    pixels = torch.randint(0, 256, (n, 2, 3), generator=generator, dtype=torch.uint8)
    return VisualTokens(
        features, torch.arange(n), Grid(2, 1, n // 2), (0.5, 1.5), (one, two), share, pixels
    )


def merge(*edges: tuple[int, int, float]) -> Merge:
    source, target, weight = zip(*edges, strict=True)
    return Merge(torch.tensor(source), torch.tensor(target), torch.tensor(weight))


def test_a_merged_row_is_the_weighted_sum_and_stands_where_its_anchor_stood():
    dense = tokens()
    kept = dense.select(torch.tensor([1, 4]), merge((1, 0, 0.25), (3, 0, 0.75)))
    for before, after in zip(
        (dense.features, *dense.deepstack), (kept.features, *kept.deepstack), strict=True
    ):
        assert torch.allclose(after[0], 0.25 * before[1] + 0.75 * before[3])
        assert torch.equal(after[1], before[4]), "a row that no edge names stays bit for bit"
    assert kept.index.tolist() == [1, 4]
    assert kept.attention is not None
    assert torch.equal(kept.attention, dense.attention[[1, 4]])
    assert kept.pixels is not None
    assert torch.equal(kept.pixels, dense.pixels[[1, 4]]), "of the place, whatever flows into it"


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), dtype=st.sampled_from([torch.float32, torch.bfloat16]))
def test_any_merge_equals_the_product_with_its_matrix(seed, dtype):
    generator = torch.Generator().manual_seed(seed)
    dense = tokens(10, dtype, seed)
    keep = (torch.rand(10, generator=generator) < 0.5).nonzero()[:, 0]
    if not len(keep):
        return
    edges = 2 * len(keep)
    source = torch.randint(10, (edges,), generator=generator)
    target = torch.randint(len(keep), (edges,), generator=generator)
    weight = torch.rand(edges, generator=generator)
    matrix = torch.zeros(len(keep), 10)
    for s, t, w in zip(source.tolist(), target.tolist(), weight.tolist(), strict=True):
        matrix[t, s] += w
    for place, row in enumerate(keep.tolist()):
        if place not in target:
            matrix[place, row] = 1.0
    kept = dense.select(keep, Merge(source, target, weight))
    for before, after in zip(
        (dense.features, *dense.deepstack), (kept.features, *kept.deepstack), strict=True
    ):
        assert after.dtype == dtype
        assert torch.allclose(after.float(), (matrix @ before.float()).to(dtype).float(), atol=1e-2
                              if dtype is torch.bfloat16 else 1e-5)  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (merge((6, 0, 1.0)), "sources"),
        (merge((0, 2, 1.0)), "targets"),
        (merge((0, 0, float("nan"))), "NaN"),
        (Merge(torch.tensor([0, 1]), torch.tensor([0]), torch.tensor([1.0])), "as many"),
    ],
)
def test_a_merge_that_does_not_fit_is_refused(wrong, match):
    with pytest.raises(ValueError, match=match):
        tokens().select(torch.tensor([1, 4]), wrong)


@pytest.mark.parametrize("keep", [[1, 1], [2, 1], [-1, 0], [5, 6]])
def test_rows_that_do_not_increase_or_are_out_of_range_are_refused(keep):
    with pytest.raises(ValueError, match="keep"):
        tokens().select(torch.tensor(keep))


def test_steps_taken_apart_and_joined_are_the_same_tokens():
    dense = tokens()
    again = concatenate(dense.steps(0, 1), dense.steps(1, 2))
    for name in ("features", "index", "attention", "pixels"):
        assert torch.equal(getattr(again, name), getattr(dense, name))
    assert (again.grid, again.times) == (dense.grid, dense.times)


def test_attention_of_another_length_is_refused():
    with pytest.raises(ValueError, match="attention"):
        VisualTokens(
            torch.zeros(2, 3), torch.arange(2), Grid(1, 1, 2), (0.0,), attention=torch.zeros(3)
        )


def test_places_on_a_device_for_which_the_host_would_wait_are_refused():
    with pytest.raises(ValueError, match="belongs on the host, not on meta"):
        VisualTokens(torch.zeros(2, 3), torch.arange(2, device="meta"), Grid(1, 1, 2), (0.0,))


def test_it_knows_how_many_tokens_each_step_still_has():
    dense = tokens()
    assert dense.counts() == [3, 3]
    assert dense.select(torch.tensor([1, 2, 5])).counts() == [2, 1]
    assert dense.select(torch.tensor([3])).counts() == [0, 1]


@pytest.mark.parametrize("shape", [(3, 2, 4), (2, 4)])
def test_pixels_of_another_shape_are_refused(shape):
    pixels = torch.zeros(shape, dtype=torch.uint8)
    with pytest.raises(ValueError, match="pixels"):
        VisualTokens(torch.zeros(2, 3), torch.arange(2), Grid(1, 1, 2), (0.0,), pixels=pixels)


def test_what_only_one_of_two_runs_carries_is_not_kept():
    one, other = tokens().steps(0, 1), replace(tokens().steps(1, 2), attention=None, pixels=None)
    whole = concatenate(one, other)
    assert whole.attention is None and whole.pixels is None and len(whole) == 6
