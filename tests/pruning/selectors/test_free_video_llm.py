"""Free Video-LLM: boxes and cells worked out by hand, and a restatement over single tokens."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from core.tokens import Grid, VisualTokens
from pruning.selectors.free_video_llm import FreeVideoLLM, corner
from pruning.selectors.selector import Question
from tests.pruning.scenes import stream, tokens

WIDTH = 8
ASKED, OTHER = torch.eye(WIDTH)[0], torch.eye(WIDTH)[1]


def read(selector: FreeVideoLLM, shown: VisualTokens, budget: int, asked=ASKED) -> VisualTokens:
    return shown.select(*selector.select(shown, Question(asked[None]), budget))


@pytest.mark.parametrize(
    ("places", "alpha", "box"),
    [
        ([27, 28, 35, 36], 0.25, (2, 2, 4, 4)),  # 8 x 8: the middle
        ([0], 0.25, (0, 0, 4, 4)),  # moved inside at one corner
        ([63], 0.25, (4, 4, 4, 4)),  # and at the other
        ([0, 63], 1.0, (0, 0, 8, 8)),
        ([2 * 8 + 6], 1 / 64, (2, 6, 1, 1)),
        ([2 * 8 + 6], 1e-9, (2, 6, 1, 1)),  # never empty
    ],
)
def test_boxes_of_known_places(places, alpha, box):
    assert corner(torch.tensor(places), Grid(1, 8, 8), alpha) == box


def test_the_published_size_of_a_box():
    """24 x 24 patches at 0.8: 24 sqrt(.8) = 21.47."""
    assert corner(torch.arange(576), Grid(1, 24, 24), 0.8)[2:] == (21, 21)


def scene(steps: int, asked: dict[int, float]) -> torch.Tensor:
    """8 x 8 steps of what is not asked for; in some the lower right 4 x 4 is, so strongly."""
    features = OTHER.repeat(steps, 64, 1)
    for step, strength in asked.items():
        features[step].view(8, 8, WIDTH)[4:, 4:] = strength * ASKED + (1 - strength) * OTHER
    return features


def test_the_steps_asked_for_are_read_in_their_box_and_the_others_coarsely():
    shown = tokens(scene(6, {1: 0.8, 4: 1.0}), 8, 8)
    pruned = read(FreeVideoLLM(alpha=0.25, slow=2), shown, 200)
    boxes = [step * 64 + row * 8 + column for step in (1, 4) for row in (4, 5, 6, 7)
             for column in (4, 5, 6, 7)]  # fmt: skip
    cells = [step * 64 + row * 8 + column for step in (0, 2, 3, 5) for row in (0, 2, 4, 6)
             for column in (0, 2, 4, 6)]  # fmt: skip
    assert pruned.index.tolist() == sorted(boxes + cells)


def test_a_cell_is_the_mean_of_the_tokens_kept_in_it():
    features = torch.randn(2, 64, WIDTH, generator=torch.Generator().manual_seed(0))
    features[0] = ASKED
    shown = tokens(features, 8, 8)
    gone = (64, 65, 72)  # of the first cell of step 1
    left = torch.tensor([row for row in range(128) if row not in gone])
    coarse = read(FreeVideoLLM(slow=1), shown.select(left), 120).steps(1, 2)
    picture, index = features[1].view(8, 8, WIDTH), coarse.index.tolist()
    first, second = index.index(9), index.index(2)  # a cell stands at its first token that is left
    assert torch.equal(coarse.features[first], picture[1, 1]), "the only one left of four"
    mean = picture[0:2, 2:4].reshape(4, WIDTH).mean(dim=0)
    assert torch.allclose(coarse.features[second], mean, atol=1e-6)
    assert len(coarse) == 16


def test_half_of_a_small_budget_goes_to_the_best_tokens_of_the_best_step():
    features = scene(6, {1: 0.8, 4: 1.0})
    features[4, 63] = ASKED * 3 + 0.1 * OTHER  # a little less alike than the rest of the box
    pruned = read(FreeVideoLLM(alpha=0.25, slow=2), tokens(features, 8, 8), 30)
    assert len(pruned) == 30
    assert pruned.steps(4, 5).index.tolist() == [r * 8 + c for r in (4, 5, 6, 7) for c in (4, 5, 6, 7)][:15]  # fmt: skip # noqa: E501
    assert len(pruned.steps(1, 2)) == 0


def test_more_budget_than_the_method_reads_is_left_unspent():
    shown = tokens(scene(6, {1: 0.8, 4: 1.0}), 8, 8)
    assert len(read(FreeVideoLLM(alpha=0.25, slow=2, fast=3), shown, 384)) == 2 * 16 + 3 * 16


def test_without_a_fast_path_only_boxes_are_read():
    shown = tokens(scene(6, {1: 0.8, 4: 1.0}), 8, 8)
    pruned = read(FreeVideoLLM(alpha=0.25, slow=2, fast=0), shown, 384)
    assert pruned.step.unique().tolist() == [1, 4]


@pytest.mark.parametrize("seed", range(6))
def test_the_slow_path_is_that_of_a_restatement(seed):
    """Float64, token by token, over a bank with holes."""
    generator = torch.Generator().manual_seed(seed)
    features = stream(seed, 9)
    keep = (torch.rand(180, generator=generator) < 0.6).nonzero()[:, 0]
    shown, asked = tokens(features).select(keep), torch.randn(16, generator=generator)
    alpha = 0.4
    pruned = read(FreeVideoLLM(alpha=alpha, fast=0), shown, 180, asked)

    x, q = shown.features.double().numpy(), asked.double().numpy()
    step, place = shown.index.numpy() // 20, shown.index.numpy() % 20

    def cos(a):
        return float(a @ q / np.linalg.norm(a) / np.linalg.norm(q))

    ranked = sorted(set(step.tolist()), key=lambda s: -cos(x[step == s].mean(axis=0)))[:3]
    expected = []
    for one in ranked:
        rows = np.flatnonzero(step == one)
        best = sorted(rows, key=lambda r: -cos(x[r]))[: max(int(len(rows) * alpha), 1)]
        middle = np.mean([(place[r] // 5, place[r] % 5) for r in best], axis=0)
        size = round(4 * math.sqrt(alpha)), round(5 * math.sqrt(alpha))
        start = [min(max(round(m - (s - 1) / 2), 0), whole - s)
                 for m, s, whole in zip(middle, size, (4, 5), strict=True)]  # fmt: skip
        expected += [
            r for r in rows
            if all(0 <= p - at < s for p, at, s in
                   zip((place[r] // 5, place[r] % 5), start, size, strict=True))
        ]  # fmt: skip
    assert pruned.index.tolist() == shown.index[torch.tensor(sorted(expected))].tolist()


@pytest.mark.parametrize("wrong", [{"alpha": 0.0}, {"alpha": 1.5}, {"slow": 0}, {"fast": -1}])
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FreeVideoLLM(**wrong)
