"""The arena: bytes set aside once, runs that stay as they are, no room lost as they come and go."""

from __future__ import annotations

import random

import pytest
import torch

from core.errors import CapacityExceeded
from memory.recall.arena import Arena

torch.set_num_threads(1)


def data(seed: int, nbytes: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (nbytes,), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("nbytes", [1, 63, 64, 65, 640, 1000])
def test_what_is_read_is_what_was_put(nbytes):
    arena = Arena(10_007, 64)
    first = arena.put(data(1, nbytes))
    second = arena.put(data(2, nbytes))
    assert torch.equal(arena.read(first, nbytes), data(1, nbytes))
    assert torch.equal(arena.read(second, nbytes), data(2, nbytes))


def test_what_was_read_is_a_copy():
    arena = Arena(640, 64)
    key = arena.put(data(1, 640))
    read = arena.read(key, 640)
    arena.drop(key)
    arena.put(data(2, 640))
    assert torch.equal(read, data(1, 640))


def test_over_long_random_use_nothing_changes_and_whatever_fits_by_bytes_fits():
    """The law of fragmentation: free bytes are never in pieces that are too small."""
    randomness, arena = random.Random(0), Arena(50_021, 128)
    held: dict[int, tuple[int, int]] = {}
    front, taken, turned_away = 0, 0, 0
    for number in range(6000):
        choice = randomness.random()
        if choice < 0.5:
            nbytes = randomness.randint(1, 9000)
            takes = -(-nbytes // 128) * 128
            room = (arena.nbytes - front) // 128 * 128 - taken
            assert arena.fits(nbytes) == (takes <= room)
            if takes > room:
                turned_away += 1
                continue
            held[arena.put(data(number, nbytes))] = (number, nbytes)
            taken += takes
        elif choice < 0.9 and held:
            key = randomness.choice(list(held))
            nbytes = held.pop(key)[1]
            arena.drop(key)
            taken -= -(-nbytes // 128) * 128
        else:
            wanted = randomness.randint(0, 30_000)
            fits = wanted + taken <= (arena.nbytes - wanted) // 128 * 128 + wanted
            assert arena.makes_front(wanted) == fits
            if fits:
                kept = arena.front(front).clone()
                front_bytes = arena.front(wanted)
                assert torch.equal(front_bytes[: min(front, wanted)], kept[:wanted])
                front = wanted
                front_bytes.copy_(data(number, wanted))
        assert arena.used == front + taken <= arena.nbytes
        if number % 50 == 0:
            for key, (seed, nbytes) in held.items():
                assert torch.equal(arena.read(key, nbytes), data(seed, nbytes))
    assert turned_away > 100, "it was full at times"


def test_bytes_that_are_not_there_are_refused_in_words():
    with pytest.raises(CapacityExceeded, match=r"memory\.archive\.max_bytes"):
        Arena(2**60, 64)
