"""The bank keeps the newest steps of one grid, bounded, and nothing else of a segment."""

from __future__ import annotations

import pytest
import torch

from core.tokens import Grid, VisualTokens
from engine.bank import Bank, banked, joined

WIDTH = 6


def run(first: int, steps: int, h: int = 2, w: int = 3) -> VisualTokens:
    """Dense steps whose features are their time."""
    n = steps * h * w
    times = tuple(float(first + place) for place in range(steps))
    features = torch.tensor(times).repeat_interleave(h * w)[:, None].expand(n, WIDTH).contiguous()
    shares = torch.full((n,), 1 / (h * w))
    return VisualTokens(
        features, torch.arange(n), Grid(steps, h, w), times, (features + 1, features + 2), shares
    )


def times(bank: Bank) -> list[float]:
    return [time for step in bank.steps for time in step.times]


def test_the_newest_steps_stay_however_they_come():
    bank = Bank(3)
    for first, steps in ((0, 2), (2, 1), (3, 4)):
        bank.keep(banked(run(first, steps)))
        assert times(bank) == [float(t) for t in range(first + steps)][-3:]
    assert {step.grid for step in bank.steps} == {Grid(1, 2, 3)}


def test_a_step_of_which_nothing_was_kept_takes_no_place():
    bank = Bank(2)
    dense = run(0, 3)
    bank.keep(banked(dense.select(torch.tensor([0, 4, 12, 17]))))  # nothing of the second
    assert times(bank) == [0.0, 2.0]
    assert [step.index.tolist() for step in bank.steps] == [[0, 4], [0, 5]]


def test_steps_of_another_grid_are_dropped_when_the_picture_changes():
    bank = Bank(8)
    bank.keep(banked(run(0, 3)))
    bank.keep(banked(run(3, 2, h=4)))
    assert times(bank) == [3.0, 4.0]
    bank.keep(banked(run(5, 1)))
    assert times(bank) == [5.0]


def test_what_was_taken_out_stays_as_it_was_whatever_comes():
    bank = Bank(2)
    bank.keep(banked(run(0, 2)))
    before = bank.steps
    bank.keep(banked(run(2, 2)))
    bank.keep(banked(run(9, 1, h=1)))
    assert [step.times for step in before] == [(0.0,), (1.0,)]
    assert before[0].features.unique().tolist() == [0.0]


def test_bytes_are_bounded_and_no_dense_segment_is_held_alive():
    bank = Bank(4)
    one = 2 * (3 * WIDTH * 4 + 8)  # of two tokens: features and two levels of float32, and a place
    for turn in range(20):
        segment = run(turn * 2, 2)
        bank.keep(banked(segment.select(torch.tensor([1, 2, 7, 8]))))
        assert bank.bytes == one * min(2 * turn + 2, 4)
    step = bank.steps[0]
    assert step.attention is None
    for rows in (step.features, *step.deepstack):
        assert rows.untyped_storage().nbytes() == 2 * WIDTH * 4


def test_joined_steps_are_the_run_they_came_from():
    dense = run(0, 4)
    bank = Bank(4)
    bank.keep(banked(dense.steps(0, 1)))
    bank.keep(banked(dense.steps(1, 4)))
    whole = joined(bank.steps)
    assert (whole.grid, whole.times) == (dense.grid, dense.times)
    assert torch.equal(whole.index, dense.index)
    assert torch.equal(whole.features, dense.features)
    assert all(map(torch.equal, whole.deepstack, dense.deepstack))


def test_a_bank_without_room_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        Bank(0)
