"""The windows by hand: whole steps, counted by number, by seconds and by room."""

from __future__ import annotations

import numpy as np
import pytest

from memory.memory import KVMemory
from memory.policies.policy import MemoryPolicy
from memory.policies.sink_window import RecentSeconds, RecentSteps, SinkWindow
from memory.pool import PagePool
from memory.scratch import Scratch
from tests.memory.policies.running import ROTATION, SHAPE


class Watch:
    """A memory with a sink of two; steps are told by their second and their size."""

    def __init__(self, policy: MemoryPolicy, capacity: int = 60) -> None:
        self.memory = KVMemory(PagePool(SHAPE, 60, 8), capacity, policy, ROTATION)
        self._append([None, None])

    def __call__(self, *steps: tuple[float, int]) -> list[float]:
        """One append of some steps; the seconds of those held then, one for each step."""
        self._append([time for time, size in steps for _ in range(size)])
        tokens = self.memory.tokens
        assert int(tokens.sink.sum()) == 2
        groups = np.unique(tokens.group[~tokens.sink])
        return [float(tokens.time[tokens.group == group][0]) for group in groups]

    def _append(self, times: list) -> None:
        start = self.memory.next_position
        positions = np.repeat(np.arange(start, start + len(times))[:, None], 3, axis=1)
        scratch = Scratch(self.memory.pool, len(times))
        when = None if times[0] is None else np.array(times, np.float64)
        self.memory.append(scratch.extend(len(times)), positions, when)
        scratch.release()
        self.memory.next_position += len(times)


def test_the_last_steps_stay_however_many_come_at_once():
    watch = Watch(RecentSteps(3))
    assert watch((0, 4)) == [0]
    assert watch((1, 4), (2, 4)) == [0, 1, 2]
    assert watch((3, 4), (4, 4)) == [2, 3, 4]
    assert watch((5, 4), (6, 4), (7, 4)) == [5, 6, 7]
    assert watch((8, 1)) == [6, 7, 8]


def test_what_comes_in_enters_whole_even_if_it_is_more_steps_than_stay():
    watch = Watch(RecentSteps(1))
    watch((0, 4))
    assert watch((1, 4), (2, 4)) == [1, 2], "the contract of policies"
    assert watch((3, 4)) == [3]


def test_a_step_without_a_single_visual_token_counts_as_a_step():
    watch = Watch(RecentSteps(2))
    watch((0, 9), (1, 1))
    assert watch((2, 9)) == [1, 2]


def test_the_last_steps_give_way_too_where_there_is_no_room():
    watch = Watch(RecentSteps(5), capacity=12)
    for second in range(6):
        held = watch((second, 4))
    assert held == [4, 5]


def test_seconds_are_counted_back_from_the_newest_step():
    watch = Watch(RecentSeconds(4.0))
    assert watch((0, 2), (1, 2)) == [0, 1]
    assert watch((3.5, 2)) == [0, 1, 3.5]
    assert watch((4, 2)) == [1, 3.5, 4], "4 seconds ago is outside"
    assert watch((4.5, 2), (6, 2)) == [3.5, 4, 4.5, 6], "1 is 5 seconds ago, 3.5 is not"
    assert watch((100, 2)) == [100], "after a gap in the stream nothing is recent but the newest"


def test_the_window_of_seconds_gives_way_where_there_is_no_room():
    watch = Watch(RecentSeconds(100.0), capacity=12)
    for second in range(6):
        held = watch((second, 4))
    assert held == [4, 5]


def test_a_plain_window_keeps_what_there_is_room_for_and_no_half_step():
    watch = Watch(SinkWindow(), capacity=13)
    assert watch((0, 4), (1, 4)) == [0, 1]
    assert watch((2, 4)) == [1, 2], "11 of 13: three steps would be 14"
    assert watch((3, 1)) == [1, 2, 3]
    assert watch((4, 2)) == [1, 2, 3, 4], "13 of 13"
    assert watch((4.5, 1)) == [2, 3, 4, 4.5]
    assert watch((5, 11)) == [5]


@pytest.mark.parametrize("wrong", [lambda: RecentSteps(0), lambda: RecentSeconds(0.0)])
def test_a_window_of_nothing_is_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        wrong()
