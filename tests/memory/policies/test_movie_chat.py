"""MovieChat's merging by hand: which neighbours become one, and what of them is left."""

from __future__ import annotations

import pytest
import torch

from memory.policies.movie_chat import MovieChat
from memory.table import MERGED, TEXT
from tests.memory.policies.running import ROTATION, SHAPE, Run

PLACES = [1, 6, 11]


def picture(direction: int, scale: float = 1.0) -> torch.Tensor:
    """A mark and three places whose keys all point one way, [n, kv_heads, d]."""
    keys = torch.zeros(4, SHAPE.kv_heads, SHAPE.head_dim)
    keys[:, :, direction] = scale
    return keys


def run(directions: list[int], capacity: int) -> Run:
    made = Run(MovieChat(target=1.0), capacity=capacity, sink=2)
    for step, direction in enumerate(directions):
        values = torch.full((4, SHAPE.kv_heads, SHAPE.head_dim), float(step))
        made.watch(PLACES, keys=picture(direction), values=values)
    return made


def test_the_most_similar_neighbours_become_one_and_the_others_stay():
    made = run([0, 1, 1, 2, 3], capacity=2 + 16)  # room for four steps; steps 1 and 2 are alike
    tokens = made.memory.tokens
    assert sorted(set(tokens.group[~tokens.sink].tolist())) == [0, 2, 3, 4]
    merged = tokens.kind == MERGED
    assert set(tokens.group[merged].tolist()) == {2}
    assert merged.sum() == len(PLACES)
    assert ((tokens.group == 2) & (tokens.kind == TEXT)).sum() == 1, "the newest step's mark"
    assert set(tokens.time[merged].tolist()) == {2.0}


def test_places_are_averaged_one_by_one_and_stand_where_the_newest_stood():
    made = run([0, 1, 1, 2, 3], capacity=2 + 16)
    memory = made.memory
    slots = memory.view().slots
    order = memory.rows[0, 0].tolist()
    for row in (memory.tokens.kind == MERGED).nonzero()[0]:
        slot = order.index(int(row))
        position = torch.from_numpy(memory.tokens.positions[row])
        assert tuple(position.tolist()) in made.keys, "a place of the newest step"
        values = made.pool.values.flatten(1, 2)[:, slots[slot]]
        assert torch.allclose(values, torch.full_like(values, 1.5)), "of steps 1 and 2"
        wanted = ROTATION.put(picture(1)[:1], position[None, None])[0]
        keys = made.pool.keys.flatten(1, 2)[:, slots[slot]]
        assert torch.allclose(keys, wanted.expand_as(keys), atol=1e-6)


def test_merging_goes_on_until_there_is_room():
    made = run([0, 0, 0, 0, 1, 2], capacity=2 + 12)
    tokens = made.memory.tokens
    assert sorted(set(tokens.group[~tokens.sink].tolist())) == [3, 4, 5]
    assert made.memory.held == 14


def test_places_that_only_one_of_the_two_had_are_kept():
    made = Run(MovieChat(target=1.0), capacity=2 + 9, sink=2)
    made.watch([0, 1], keys=picture(0)[:3])
    made.watch([1, 2], keys=picture(0)[:3])
    made.watch([3, 4, 5], keys=picture(1))
    tokens = made.memory.tokens
    merged = tokens.positions[tokens.kind == MERGED]
    assert sorted((merged[:, 1:] - merged[:, :1]).tolist()) == [[0, 0], [0, 1], [0, 2]]


def test_without_any_room_for_the_past_the_oldest_steps_go():
    made = run([0, 1, 2], capacity=2 + 4)
    assert set(made.memory.tokens.group.tolist()) == {-1, 2}


@pytest.mark.parametrize("target", [0.0, 1.5])
def test_a_target_out_of_range_is_refused(target):
    with pytest.raises(ValueError, match="target"):
        MovieChat(target)
