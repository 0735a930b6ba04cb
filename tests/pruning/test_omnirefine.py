"""OmniRefine: borders tried one by one, regions and flows worked out by hand."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
import torch

from core.tokens import VisualTokens
from pruning.chunks import chunks
from pruning.omnirefine import OmniRefine
from pruning.quadtree import quadtree
from tests.pruning.scenes import D, M, stream, tokens

OPEN = {"least": 0.0, "most": 1.0}  # bounds that never act


def worth(similar: np.ndarray, bounds: list[tuple[int, int]], penalty: float) -> float:
    inside = [similar[a : b - 1] for a, b in bounds if b - a > 1]
    return sum(float(part.mean()) for part in inside) - penalty * len(bounds)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("steps", [3, 8, 13])
def test_no_other_borders_are_worth_more(seed, steps):
    similar = np.random.default_rng(seed).random(steps - 1)
    found = chunks(similar.tolist(), 3, 5, 0.02)
    assert all(3 <= stop - start <= 5 for start, stop in found)
    every = [
        list(pairwise([0, *inner, steps]))
        for cuts in range(steps)
        for inner in combinations(range(1, steps), cuts)
    ]
    allowed = [b for b in every if all(3 <= stop - start <= 5 for start, stop in b)]
    assert worth(similar, found, 0.02) == pytest.approx(
        max(worth(similar, b, 0.02) for b in allowed)
    )


def test_a_border_lies_where_neighbours_differ():
    assert chunks([1, 1, 1, 0, 1, 1, 1], 3, 5, 0.02) == [(0, 4), (4, 8)]
    assert chunks([1, 1, 0, 1, 1, 1, 1], 3, 5, 0.02) == [(0, 3), (3, 8)]


@pytest.mark.parametrize("steps", [1, 2])
def test_a_segment_too_short_for_a_chunk_is_one(steps):
    assert chunks([0.5] * (steps - 1), 3, 5, 0.02) == [(0, steps)]


def test_a_length_that_no_chunks_add_up_to_gets_a_shorter_one():
    found = chunks([0.5] * 6, 4, 5, 0.02)
    assert found[0][0] == 0 and found[-1][1] == 7
    assert all(one[1] == other[0] for one, other in pairwise(found))


def areas(picture: torch.Tensor, tau: float) -> list[int]:
    """Sizes of the regions of a picture [h, w, d]."""
    h, w, d = picture.shape
    sizes = quadtree(picture.reshape(1, h * w, d), h, w, tau)[0].bincount()
    return sorted(size for size in sizes.tolist() if size)


def test_one_strong_odd_token_splits_the_regions_around_it_only():
    picture = torch.ones(8, 8, 3)
    picture[6, 1] = torch.tensor([-40.0, 80.0, 0.0])
    assert areas(picture, 0.99) == [1, 1, 1, 1, 4, 4, 4, 16, 16, 16]
    found = quadtree(picture.reshape(1, 64, 3), 8, 8, 0.99)[0].reshape(8, 8)
    assert found[:4, :4].unique().tolist() == [0] and found[4:, 4:].unique().tolist() == [36]
    assert found[6:, :2].flatten().tolist() == [48, 49, 56, 57], "alone, at their own places"
    assert found[4:6, :2].unique().tolist() == [32]


@pytest.mark.parametrize(("h", "w", "pieces"), [(1, 1, 1), (1, 6, 6), (5, 3, 15), (4, 4, 16)])
def test_of_a_picture_without_likeness_every_token_is_a_region_and_of_equals_all(h, w, pieces):
    picture = torch.randn(h, w, 64, generator=torch.Generator().manual_seed(0))
    assert areas(picture, 0.95) == [1] * pieces
    assert areas(torch.ones(h, w, 4), 0.95) == [h * w]


def test_the_test_is_between_a_regions_mean_and_the_means_of_its_quarters():
    """Four tokens at +-a around a direction: their mean has cosine cos(a) with each."""
    angle = torch.tensor(0.6)
    one, other = torch.stack([angle.cos(), angle.sin()]), torch.stack([angle.cos(), -angle.sin()])
    picture = torch.stack([one, other, other, one]).reshape(2, 2, 2)  # cos .6 = .8253
    assert areas(picture, 0.82) == [4]
    assert areas(picture, 0.83) == [1] * 4


def recursive(picture: np.ndarray, tau: float, top: int = 0, left: int = 0) -> list[tuple]:
    """Regions (top, left, height, width), as the text says it, in float64."""
    h, w = picture.shape[:2]
    if h == w == 1:
        return [(top, left, 1, 1)]
    rows = [(0, (h + 1) // 2), ((h + 1) // 2, h)] if h > 1 else [(0, 1)]
    columns = [(0, (w + 1) // 2), ((w + 1) // 2, w)] if w > 1 else [(0, 1)]
    whole = picture.mean(axis=(0, 1))
    parts = [(a, c, picture[a:b, c:d]) for a, b in rows for c, d in columns]
    cosines = []
    for _, _, part in parts:
        mean = part.mean(axis=(0, 1))
        cosines.append(whole @ mean / np.linalg.norm(whole) / np.linalg.norm(mean))
    if min(cosines) >= tau:
        return [(top, left, h, w)]
    return [r for a, c, part in parts for r in recursive(part, tau, top + a, left + c)]


@pytest.mark.parametrize(("h", "w"), [(4, 5), (7, 6), (9, 16), (1, 5)])
def test_regions_are_those_of_the_recursion(h, w):
    generator = torch.Generator().manual_seed(h)
    coarse = torch.randn(3, 1, 3, 3, generator=generator).expand(-1, 8, -1, -1)
    smooth = torch.nn.functional.interpolate(coarse.clone(), (h, w))
    pictures = smooth.permute(0, 2, 3, 1) + 0.3 * torch.randn(3, h, w, 8, generator=generator)
    found = quadtree(pictures.reshape(3, h * w, 8), h, w, 0.8)
    for picture, labels in zip(pictures, found.reshape(3, h, w), strict=True):
        for top, left, height, width in recursive(picture.double().numpy(), 0.8):
            part = labels[top : top + height, left : left + width]
            assert bool((part == top * w + left).all())


def compressed(policy: OmniRefine, features: torch.Tensor, h: int, w: int) -> VisualTokens:
    shown = tokens(features, h, w)
    rows, _, merge = policy.keep(shown, len(features), policy.start())
    return shown.select(rows, merge)


def axes(*places: int) -> torch.Tensor:
    """Tokens along axes of a space of 8."""
    return torch.eye(8)[list(places)]


def test_flows_of_a_worked_example():
    """1 x 4 places, three steps; left half a, right half b, then c comes in on the right.

    Step 0: regions [a a] and [b b]. Step 1: [a a] (cosine 1), [b c] splits: b (cosine 1) and c
    (cosine 0: the least similar, it stays). Step 2: [a a], b and c all have their like; the least
    similar, which is the first of equals, stays.
    """
    a, b, c = axes(0, 1, 2)
    features = torch.stack(
        [
            torch.stack([a, a, b, b]),
            torch.stack([a, 3 * a, 5 * b, c]),
            torch.stack([a, a, b, 3 * c]),
        ]
    )
    pruned = compressed(OmniRefine(**OPEN), features, 1, 4)
    assert pruned.index.tolist() == [0, 2, 7, 8]
    assert torch.allclose(pruned.features[0], 6 / 4 * a)  # a a | a 3a
    assert torch.allclose(pruned.features[1], 8 / 4 * b)  # b b | 5b | b
    assert torch.allclose(pruned.features[2], 2 * c)  # c | 3c
    assert torch.allclose(pruned.features[3], a)  # what keeps step 2 from being empty


@pytest.mark.parametrize(("least", "most"), [(0.0, 1.0), (0.18, 0.55), (0.6, 0.7), (0.0, 0.3)])
def test_a_chunk_keeps_a_share_within_the_bounds(least, most):
    features = torch.randn(4, M, D, generator=torch.Generator().manual_seed(1))
    features[2:] = features[1:2] + 0.3 * features[2:]
    kept = len(compressed(OmniRefine(space=1.0, least=least, most=most), features, 4, 5))
    floor = M + 3  # every token of the first step, and one of each other
    assert max(least * 4 * M, 1) <= kept <= max(most * 4 * M, floor)
    free = len(compressed(OmniRefine(space=1.0, **OPEN), features, 4, 5))
    if least * 4 * M <= free <= most * 4 * M:
        assert kept == free
    else:
        assert kept in (int(most * 4 * M), -int(-least * 4 * M // 1), floor)


def test_the_bounds_merge_the_most_similar_first():
    """Cosines to the step before: .5, .4, .3 and .2, all below the threshold."""
    first = torch.eye(8)[:4]
    cosines = torch.tensor([0.5, 0.4, 0.3, 0.2])
    second = cosines[:, None] * first + (1 - cosines.square()).sqrt()[:, None] * torch.eye(8)[4:]
    pruned = compressed(OmniRefine(space=1.0, most=0.75), torch.stack([first, second]), 1, 4)
    assert pruned.index.tolist() == [0, 1, 2, 3, 6, 7]
    assert torch.allclose(pruned.features[0], (first[0] + second[0]) / 2)


def test_nothing_flows_over_a_border():
    features = stream(0, 1).expand(6, -1, -1).contiguous()
    pruned = compressed(OmniRefine(space=1.0, **OPEN), features, 4, 5)
    assert chunks([1.0] * 5, 3, 5, 0.02) == [(0, 3), (3, 6)]
    assert pruned.step.bincount(minlength=6).tolist() == [M, 1, 1, M, 1, 1]


def test_the_mass_of_a_segment_is_kept():
    """Every token flows somewhere: the sum of kept means, weighted by their sizes, is the whole."""
    features = stream(5, 9)
    shown = tokens(features)
    rows, _, merge = OmniRefine().keep(shown, 9, None)
    sizes = torch.ones(len(rows))
    sizes[merge.target] = 1 / merge.weight
    assert float(sizes.sum()) == pytest.approx(9 * M)
    whole = (shown.select(rows, merge).features * sizes[:, None]).sum(dim=0)
    assert torch.allclose(whole, shown.features.sum(dim=0), atol=1e-3)


@pytest.mark.parametrize("wrong", [{"space": 1.5}, {"time": -2.0}, {"least": 0.7}, {"most": 1.1}])
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        OmniRefine(**wrong)
