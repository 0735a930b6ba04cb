"""EVS against its closed form, and its running quantile against known distributions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pruning.evs import BINS, EVS, EVSOffline, upper_quantile
from tests.pruning.running import run
from tests.pruning.scenes import M, stream, tokens
from tests.pruning.test_dtd import cosines


@pytest.mark.parametrize("budget", [27, 60, 100])
def test_offline_the_first_step_and_the_most_novel_tokens_are_kept(budget):
    features = stream(1, 8)
    rows = EVSOffline().keep(tokens(features), budget, None).rows.tolist()
    novelty = 1 - cosines(features)  # [7, m]
    order = np.argsort(-novelty.flatten(), kind="stable") + M
    floors = {int(row.argmax()) + (step + 1) * M for step, row in enumerate(novelty)}
    rest = [row for row in order.tolist() if row not in floors]
    expected = sorted([*range(M), *floors, *rest[: budget - M - 7]])
    assert rows == expected


def test_offline_never_keeps_less_than_the_first_step_and_one_of_every_other():
    assert len(EVSOffline().keep(tokens(stream(1, 8)), 9, None).rows) == M + 7


@pytest.mark.parametrize(
    ("share", "expected"), [(0.25, 1.5), (0.5, 1.0), (1.0, 0.0), (0.001, 1.998)]
)
def test_the_quantile_of_an_even_spread(share, expected):
    assert upper_quantile(torch.ones(BINS), share) == pytest.approx(expected, abs=1e-4)


def test_the_quantile_of_two_heaps_lies_between_them():
    counts = torch.zeros(BINS)
    counts[3], counts[300] = 70, 30
    assert upper_quantile(counts, 0.30001) < 4 * 2 / BINS
    assert 300 * 2 / BINS <= upper_quantile(counts, 0.2999) < 301 * 2 / BINS


def test_a_stream_spends_where_something_happens():
    features = stream(2, 210)
    kept = run(EVS(), features, 5, [210]).step.bincount(minlength=210)[42:].float()
    steps = torch.arange(42, 210)
    happens = (steps % 7 == 6) | (steps % 3 == 2)  # of `stream`: a cut or a movement
    assert kept[happens].mean() > 3 * kept[~happens].mean()


def test_the_first_step_is_whole_and_paid_for_later():
    kept = run(EVS(), stream(3, 400), 5, [4] * 100).step.bincount()
    assert int(kept[0]) == M
    assert abs(int(kept.sum()) - 2000) < 60
