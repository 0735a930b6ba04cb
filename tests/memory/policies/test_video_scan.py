"""VideoScan by hand: what a carrier is, where it stands, and which one goes."""

from __future__ import annotations

import pytest
import torch

from memory.policies.video_scan import VideoScanCarriers
from memory.table import SUMMARY
from tests.memory.policies.running import Run
from tests.memory.policies.tables import ROTATION, SINK, Shown, Token, kept, retained

E1, E2, E3 = (1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0)


def test_an_older_step_leaves_the_mean_of_its_picture_and_nothing_else():
    tokens = [Token(SINK, None), Token(0, None, E3, E3), Token(0, (0, 0), E1, E2),
              Token(0, (0, 2), E2, E2), Token(1, None), Token(1, (0, 0))]  # fmt: skip
    found = retained(VideoScanCarriers(whole=1), Shown(tokens), 99)
    assert found.stay[0, 0].tolist() == [True, False, False, False, True, True]
    made = found.summaries
    assert made is not None
    assert made.tokens.positions.tolist() == [[10, 10, 11]]
    assert (made.tokens.group.tolist(), made.tokens.kind.tolist()) == ([0], [SUMMARY])
    bare = ROTATION.take(made.keys[0, 0], torch.tensor([[10, 10, 11]]))
    assert torch.allclose(bare, torch.tensor([[0.5, 0.5, 0.0, 0.0]]), atol=1e-6)
    assert torch.allclose(made.values[0, 0], torch.tensor([E2]))


def test_a_step_of_marks_alone_leaves_nothing():
    tokens = [Token(0, None), Token(1, (0, 0))]
    found = retained(VideoScanCarriers(whole=1), Shown(tokens), 99)
    assert found.stay[0, 0].tolist() == [False, True]
    assert found.summaries is None


def test_of_the_carriers_most_alike_the_older_goes():
    tokens = [Token(SINK, None), Token(0, key=E2, kind=SUMMARY), Token(1, key=E1, kind=SUMMARY),
              Token(2, key=E1, kind=SUMMARY), Token(3)]  # fmt: skip
    policy = VideoScanCarriers(whole=1)
    assert kept(policy, Shown(tokens), 5) == {0, 1, 2, 3, 4}
    assert kept(policy, Shown(tokens), 4) == {0, 1, 3, 4}
    assert kept(policy, Shown(tokens), 3) == {0, 3, 4}
    assert kept(policy, Shown(tokens), 2) == {0, 4}
    assert kept(policy, Shown(tokens), 1) == {0}


def test_a_new_carrier_is_compared_with_those_there_are():
    tokens = [Token(0, key=E2, kind=SUMMARY), Token(1, key=E1, kind=SUMMARY),
              Token(2, (0, 0), E1), Token(2, (0, 1), E1), Token(3)]  # fmt: skip
    found = retained(VideoScanCarriers(whole=1), Shown(tokens), 3)
    assert found.stay[0, 0].tolist() == [True, False, False, False, True]
    assert found.summaries is not None
    assert found.summaries.tokens.group.tolist() == [2]


def test_in_a_stream_all_but_the_newest_steps_are_carriers():
    run = Run(VideoScanCarriers(whole=3), capacity=200)
    for _ in range(10):
        run.watch([0, 5, 6])
    tokens = run.memory.tokens
    assert sorted(tokens.group[tokens.kind == SUMMARY].tolist()) == list(range(7))
    assert len(tokens) == 3 + 7 + 3 * 4


def test_at_least_the_newest_step_stays_whole():
    with pytest.raises(ValueError, match="at least 1"):
        VideoScanCarriers(0)
