"""EMCompress: scenes and what is read of them, worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from pruning.selectors.emcompress import EMCompress, scenes
from pruning.selectors.selector import Question
from tests.pruning.scenes import tokens


def at(*degrees: float) -> torch.Tensor:
    return torch.tensor([[math.cos(math.radians(a)), math.sin(math.radians(a))] for a in degrees])


@pytest.mark.parametrize(
    ("degrees", "bounds"),
    [
        ((0, 0, 90, 90, 90), [(0, 2), (2, 5)]),
        ((0, 31), [(0, 2)]),  # cos 31 = .857 is not below .85
        ((0, 32), [(0, 1), (1, 2)]),  # cos 32 = .848 is
        ((0, 30, 45), [(0, 3)]),  # compared with the mean, at 15: 30 away
        ((0, 30, 45, 60, 90), [(0, 3), (3, 5)]),  # the mean is at 25: 60 is 35 away
        ((0, 90, 0), [(0, 1), (1, 2), (2, 3)]),  # only neighbours are one scene
        ((7,), [(0, 1)]),
    ],
)
def test_scenes_of_known_directions(degrees, bounds):
    assert scenes(at(*degrees), 0.85, 0.98, 15) == bounds


def test_neighbouring_scenes_that_end_up_alike_are_one():
    """A second scene begins 33 away and comes back: its mean is 7 from the first one's."""
    degrees = (0, 33, 10, 4, 0, -2, 0, 3)
    assert scenes(at(*degrees), 0.85, 1.0, 15) == [(0, 1), (1, 8)]
    assert scenes(at(*degrees), 0.85, 0.98, 15) == [(0, 8)]


def test_of_too_many_scenes_the_most_alike_neighbours_are_joined():
    assert scenes(at(0, 60, 110, 170), 0.85, 0.98, 3) == [(0, 1), (1, 3), (3, 4)]
    assert scenes(at(0, 60, 110, 170), 0.85, 0.98, 1) == [(0, 4)]


def video() -> torch.Tensor:
    """Four scenes of two steps and three tokens: along axes 0, 1, 2 and 3 of a space of 4."""
    return torch.eye(4).repeat_interleave(6, dim=0).reshape(8, 3, 4)


def read(features: torch.Tensor, asked: list[float], budget: int) -> list[int]:
    question = Question(torch.tensor([asked]))
    return EMCompress().select(tokens(features, 1, 3), question, budget).rows.tolist()


def test_the_closest_scenes_are_read_whole():
    assert read(video(), [0.0, 0.3, 0.0, 1.0], 6) == list(range(18, 24))
    assert read(video(), [0.0, 0.3, 0.0, 1.0], 12) == [*range(6, 12), *range(18, 24)]


def test_of_a_scene_that_does_not_fit_the_closest_tokens_are_read():
    features = video()
    features[2, 1, 3], features[3, 2, 3] = 0.2, 0.4
    assert read(features, [0.0, 1.0, 0.0, 1.0], 1) == [11]
    assert read(features, [0.0, 1.0, 0.0, 1.0], 2) == [7, 11]
    assert read(features, [0.0, 0.3, 0.0, 1.0], 8) == [7, 11, *range(18, 24)]


def test_a_scene_is_as_close_as_its_closest_token():
    features = video()
    features[1, 0] = torch.tensor([1.0, 0.0, 0.0, 9.0])  # one look at what is asked for
    assert 3 in read(features, [0.0, 0.0, 0.1, 1.0], 7)


def test_steps_of_which_nothing_was_kept_belong_to_no_scene():
    shown = tokens(video(), 1, 3)
    shown = shown.select(torch.tensor([0, 1, 12, 13, 14, 18]))  # of steps 0, 4 and 6
    question = Question(torch.eye(4)[2:3])
    assert EMCompress().select(shown, question, 3).rows.tolist() == [2, 3, 4]


@pytest.mark.parametrize("wrong", [{"split": 2.0}, {"join": -1.5}, {"most": 0}])
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        EMCompress(**wrong)
