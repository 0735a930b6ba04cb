"""CurveStream against its scores in NumPy and states worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from core.tokens import Grid
from pruning.curvestream import NEVER, Course, CurveStream, turn
from tests.pruning.running import run
from tests.pruning.scenes import D, M, stream, tokens


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (([1, 0], [1, 1], [1, 2]), 1 - 3 / math.sqrt(10)),  # straight on: movement alone
        (([0, 1], [1, 1], [1, 2]), 1 - 3 / math.sqrt(10) + 0.2),  # a right angle
        (([1, 2], [1, 1], [1, 2]), 1 - 3 / math.sqrt(10) + 0.4),  # back again
        (([1, 0], [1, 0], [1, 0]), 0.2),  # standing still
        (([0, 1], [1, 1], [-1, -1]), 2 + 0.2 * (1 + 1 / math.sqrt(2))),  # turned over
    ],
)
def test_the_score_of_known_turns(path, expected):
    points = [torch.tensor(point, dtype=torch.float32) for point in path]
    assert turn(*points, bend=0.2) == pytest.approx(expected, abs=1e-5)


def test_a_stream_begins_with_no_score_and_then_one_without_curvature():
    one, other = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    assert turn(None, None, one, 0.2) == NEVER
    assert turn(None, one, other, 0.2) == pytest.approx(1.2, abs=1e-6)


def test_the_running_mean_is_even_at_first_and_then_forgets_by_the_pace():
    scores = np.random.default_rng(0).random(60)
    course, point = Course(torch.zeros(2)), torch.zeros(2)
    for score in scores[:20]:
        course = course.after(point, float(score), pace=0.05)
    assert course.mean == pytest.approx(scores[:20].mean())
    assert course.variance == pytest.approx(scores[:20].var())
    mean, square = scores[:20].mean(), (scores[:20] ** 2).mean()
    for score in scores[20:]:  # the moments, each forgetting on its own
        course = course.after(point, float(score), pace=0.05)
        mean, square = 0.95 * mean + 0.05 * score, 0.95 * square + 0.05 * score**2
    assert course.mean == pytest.approx(mean)
    assert course.variance == pytest.approx(square - mean**2)


@pytest.mark.parametrize(("score", "state"), [(1.0, 0), (1.01, 1), (1.5, 1), (1.51, 2)])
def test_the_thresholds_divide_three_states(score, state):
    course = Course(torch.zeros(2), None, 9, mean=1.0, variance=0.25)
    assert course.judge(score, low=0.0, high=1.0) == state


def reference(features: np.ndarray, bend: float, low: float, high: float, pace: float) -> list[int]:
    """States of all steps, written from the formula, in float64."""

    def cos(a, b):
        lengths = np.linalg.norm(a) * np.linalg.norm(b)
        return float(a @ b / lengths) if lengths else 0.0

    points, states, scores = features.mean(axis=1), [2], []
    mean = var = 0.0
    for t in range(1, len(points)):
        score = 1 - cos(points[t], points[t - 1])
        legs = points[t - 1] - points[t - 2], points[t] - points[t - 1]
        score += bend * (1 - (cos(*legs) if t > 1 else 0.0))
        if scores:
            states.append(int(score > mean + low * var**0.5) + int(score > mean + high * var**0.5))
        else:
            states.append(0)
        scores.append(score)
        share = max(1 / len(scores), pace)
        var = (1 - share) * (var + share * (score - mean) ** 2)
        mean += share * (score - mean)
    return states


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("policy", [CurveStream(), CurveStream(bend=1.0, low=-0.5, high=0.5)])
def test_states_of_a_stream_are_those_of_the_formula(policy, seed):
    features = stream(seed, 40)
    states = reference(features.double().numpy(), policy.bend, policy.low, policy.high, policy.pace)
    expected = [{0: 1, 1: 6, 2: M}[state] for state in states]  # 4 x 5 has 2 x 3 blocks
    kept = run(policy, features, 1, [5] * 8).step.bincount(minlength=40).tolist()
    assert kept == expected
    assert len(set(expected)) == 3, "all three states must occur"


def test_a_coarse_step_is_the_average_of_blocks_and_smaller_at_the_edge():
    features = stream(3, 8)
    policy = CurveStream(low=-9.0, high=9.0)
    shown = tokens(features)
    rows, _, merge = policy.keep(shown, 8, policy.start())
    pruned = shown.select(rows, merge).steps(7, 8)
    assert pruned.index.tolist() == [0, 2, 4, 10, 12, 14]
    picture = features[7].reshape(4, 5, D)
    for row, (top, left) in enumerate((y, x) for y in (0, 2) for x in (0, 2, 4)):
        block = picture[top : top + 2, left : left + 2].reshape(-1, D)
        assert torch.allclose(pruned.features[row], block.mean(dim=0), atol=1e-6)


def test_a_dropped_step_keeps_the_token_closest_to_its_mean():
    features = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [0.6, 0.5], [1.0, -0.2]]])
    shown = tokens(features.expand(2, -1, -1), 2, 2)
    assert shown.grid == Grid(2, 2, 2)
    rows = CurveStream().keep(shown, 2, CurveStream().start()).rows
    assert rows.tolist() == [0, 1, 2, 3, 4 + 2]


def test_a_still_camera_is_dropped_and_a_cut_is_whole():
    features = stream(0, 1).expand(40, -1, -1).clone()
    features[25:] = stream(77, 1)
    kept = run(CurveStream(), features, 1, [4] * 10).step.bincount(minlength=40).tolist()
    assert [step for step, count in enumerate(kept) if count == M] == [0, 25]
    assert kept.count(1) == 38


@pytest.mark.parametrize(
    "wrong", [{"bend": -1.0}, {"low": 2.0}, {"pace": 0.0}, {"pace": float("nan")}]
)
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        CurveStream(**wrong)
