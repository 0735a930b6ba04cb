"""FluxMem against its formula in float64, thresholds and regions worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.tokens import Grid
from pruning.fluxmem import FluxMem, FluxMemLong, away
from pruning.otsu import otsu
from pruning.regions import regions
from tests.pruning.running import run
from tests.pruning.scenes import H, M, W, looks, stream, tokens

GRID = Grid(1, H, W)


def plain_otsu(values: np.ndarray) -> float | None:
    """Every cut between bins tried; the bin below the best one, its middle."""
    bins = np.minimum((values * 64).astype(int), 127)
    found = None
    for cut in range(127):
        low, high = bins[bins <= cut], bins[bins > cut]
        if len(low) and len(high):
            between = len(low) * len(high) * (low.mean() - high.mean()) ** 2
            if found is None or between > found[0] + 1e-9:
                found = between, (cut + 0.5) / 64
    return found and found[1]


@pytest.mark.parametrize("seed", range(10))
def test_the_threshold_parts_values_best(seed):
    values = 2 * torch.rand(40, generator=torch.Generator().manual_seed(seed)) ** 3
    assert otsu(values) == pytest.approx(plain_otsu(values.double().numpy()))


def test_thresholds_worked_out_by_hand():
    # bins are 1 / 64 wide: .1 in bin 6, 1.5 in bin 96; the first of the equally good cuts
    assert otsu(torch.tensor([0.1, 0.1, 1.5])) == pytest.approx(6.5 / 64)
    assert otsu(torch.tensor([0.1, 0.1])) is None
    assert otsu(torch.tensor([2.0, 2.0, 0.0])) == pytest.approx(0.5 / 64)


def distances(step: np.ndarray, other: np.ndarray) -> np.ndarray:
    """1 - the largest cosine to the 3 x 3 places around, pair by pair."""
    one, two = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (step, other))
    out = []
    for place in range(M):
        row, column = divmod(place, W)
        around = [
            one[place] @ two[r * W + c]
            for r in range(max(row - 1, 0), min(row + 2, H))
            for c in range(max(column - 1, 0), min(column + 2, W))
        ]
        out.append(1 - max(around))
    return np.clip(out, 0, 2)


@pytest.mark.parametrize("seed", range(5))
def test_distance_looks_at_the_places_around(seed):
    one, other = torch.randn(2, M, 8, generator=torch.Generator().manual_seed(seed))
    expected = distances(one.double().numpy(), other.double().numpy())
    assert away(one, other, GRID).double().numpy() == pytest.approx(expected, abs=1e-6)


def test_what_moved_by_one_is_still_there_and_the_grid_has_no_wrap():
    step = torch.eye(M)
    assert away(step, step, GRID).max() == 0
    down = step.view(H, W, M).roll(1, dims=0).reshape(M, M)
    gone = away(step, down, GRID)
    assert gone[: (H - 1) * W].max() == 0, "one row down"
    assert gone[(H - 1) * W :].min() == 1, "out of the picture, not in again at the top"


def moving(seed: int, steps: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    scene = torch.randn(M, 16, generator=generator)
    out = []
    for _ in range(steps):
        changed = torch.rand(M, generator=generator) < 0.4
        scene = torch.where(changed[:, None], torch.randn(M, 16, generator=generator), scene)
        out.append(scene + 0.2 * torch.randn(M, 16, generator=generator))
    return torch.stack(out)


@pytest.mark.parametrize("seed", range(6))
def test_a_stream_is_kept_by_the_formula(seed):
    features = moving(seed, 8)
    kept = run(FluxMem(), features, 5, [3, 1, 4], looks(8))
    steps = features.double().numpy()
    for index in range(7):
        forward = distances(steps[index], steps[index + 1])
        keep = forward >= plain_otsu(forward)
        if index:
            backward = distances(steps[index], steps[index - 1])
            keep |= backward >= plain_otsu(backward)
        keep &= 1 - forward <= 0.8
        assert (kept.index[kept.step == index] - index * M).tolist() == keep.nonzero()[0].tolist()
    assert int((kept.step == 7).sum()) == M, "nothing followed the last: it is whole"


def test_of_what_stays_the_freshest_copy_is_kept():
    """An object stands at place 7 from step 2 to 5."""
    features = torch.ones(9, M, 8) + 1e-3 * stream(0, 9, d=8)
    features[2:6, 7] = -1.0
    features[:, 0] = torch.tensor([1.0, -1.0]).repeat(4)  # always new, so that no step is empty
    features[::2, 0] *= -1
    kept = run(FluxMem(), features, 5, [3, 3, 3], looks(9))
    seen = [step for step in range(8) if step * M + 7 in kept.index.tolist()]
    assert seen == [5]


def test_regions_are_alike_neighbours():
    """A 2 x 4 picture: a left part, a right part, and a place in the middle that is not kept."""
    left, right = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    step = torch.stack([left, left, right, right, left, left, right, right])
    places = torch.tensor([0, 1, 2, 3, 4, 6])
    found = regions(step, places, Grid(1, 2, 4))
    assert found.tolist() == [0, 0, 2, 2, 0, 2]
    apart = torch.tensor([0, 3, 7])
    step[7] = left
    assert regions(step, apart, Grid(1, 2, 4)).tolist() == [0, 3, 7], "one pair parts nothing"
    assert regions(step, torch.tensor([5]), Grid(1, 2, 4)).tolist() == [5]


def components(step: np.ndarray, places: list[int]) -> list[list[int]]:
    """Regions of some places of one step: touching pairs, cut, walked through one by one."""
    unit = step / np.linalg.norm(step, axis=1, keepdims=True)
    pairs = {
        (a, b): 1 - unit[a] @ unit[b]
        for a in places
        for b in places
        if a < b and abs(a // W - b // W) <= 1 and abs(a % W - b % W) <= 1
    }
    cut = plain_otsu(np.clip(list(pairs.values()), 0, 2)) if pairs else None
    linked = {pair for pair, apart in pairs.items() if cut is not None and apart <= cut}
    found, left = [], list(places)
    while left:
        part = [left.pop(0)]
        for one in part:
            near = [p for p in left if (min(p, one), max(p, one)) in linked]
            part += near
            left = [p for p in left if p not in near]
        found.append(sorted(part))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_a_region_becomes_its_mean_at_the_token_nearest_to_it(seed):
    features = moving(seed, 6) + torch.linspace(-1, 1, M).sign()[:, None]  # two alike halves
    plain = run(FluxMem(), features, 5, [6], looks(6))
    kept = run(FluxMemLong(), features, 5, [6], looks(6))
    steps, merges = features.double().numpy(), 0
    for index, step in enumerate(steps[:5]):
        places = (plain.index[plain.step == index] - index * M).tolist()
        expected = {}
        for part in components(step, places):
            mean = step[part].mean(axis=0)
            expected[part[int(np.argmin(((step[part] - mean) ** 2).sum(axis=1)))]] = mean
            merges += len(part) > 2  # of two, rounding decides which is nearer
        here = kept.step == index
        assert int(here.sum()) == len(expected)
        got = kept.features[here].double().numpy()
        wanted = np.stack([expected[place] for place in sorted(expected)])
        order, other = np.lexsort(got.T.round(3)), np.lexsort(wanted.T.round(3))
        assert got[order] == pytest.approx(wanted[other], abs=1e-4)
    assert merges, "some regions must be regions"
    assert int((kept.step == 5).sum()) == M, "nothing followed the last: it is whole"


def test_a_region_stands_at_its_middle():
    """A row of three alike tokens, new in step 1 and gone in step 2, beside others like nothing."""
    features = torch.ones(3, M, M)
    features[1] = 4 * torch.eye(M) - 2
    for place, tilt in [(5, 0.8), (6, 1.0), (7, 1.2)]:
        features[1, place] = 4 * torch.eye(M)[6] - 2 * tilt
    rows = FluxMemLong(drop=1.0).keep(tokens(features), 3, FluxMemLong().start()).rows
    middle = {5, 6, 7} & set((rows[rows // M == 1] - M).tolist())
    assert middle == {6}


def test_the_threshold_of_freshness_is_a_parameter():
    features = moving(1, 6)
    few, many = (len(run(FluxMem(drop), features, 5, [6], looks(6))) for drop in (0.2, 0.99))
    assert few < many
