"""The largest number is found with few trials, and the wanted one is never guessed at."""

from __future__ import annotations

import pytest

from benchmarks.gpu.search import largest

MOST, WANTED = 192, 128


def search(carried: int, guess: int, most: int = MOST, wanted: int = WANTED) -> tuple[int, int]:
    tried: list[int] = []

    def carries(number: int) -> bool:
        assert 1 <= number <= most
        assert number not in tried, "a trial takes a while"
        tried.append(number)
        return number <= carried

    found = largest(carries, guess, most, wanted)
    assert found == 0 or found in tried, "what is told was tried"
    return found, len(tried)


@pytest.mark.parametrize("guess", [0, 1, 5, 60, 127, 128, 129, 150, 191, 192, 500])
def test_whether_the_wanted_number_is_carried_is_answered_right_wherever_one_begins(guess):
    for carried in range(MOST + 1):
        found, trials = search(carried, guess)
        assert (found >= WANTED) == (carried >= WANTED), carried
        assert found <= carried <= found + max(1, found // 16), carried
        assert trials <= 12


def test_who_carries_all_is_tried_with_all():
    assert search(1000, 100) == (192, 2)
    assert search(1000, 1, most=1) == (1, 1)


def test_what_is_wanted_is_not_tried_beyond_what_there_is_room_for():
    assert search(90, 90, most=100)[0] in range(85, 91)
    assert search(100, 100, most=100) == (100, 1)
    assert search(0, 10) == (0, 4)
