"""Flash-VStream's clusters by hand: what comes back is merged with what it was before."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from memory.policies.flash_vstream import FlashVStream, _weights
from memory.policies.movie_chat import MovieChat
from memory.policies.policy import MemoryPolicy
from memory.table import MERGED, TEXT, TokenTable
from tests.memory.policies.running import SHAPE, Run
from tests.memory.policies.test_movie_chat import PLACES, picture

POLICY = FlashVStream(target=1.0, recent=0.0)


def run(directions: list[int], policy: MemoryPolicy = POLICY, capacity: int = 18) -> Run:
    """A sink of two, and steps of a mark and three places, each valued with its number."""
    made = Run(policy, capacity=capacity, sink=2)
    for step, direction in enumerate(directions):
        values = torch.full((4, SHAPE.kv_heads, SHAPE.head_dim), float(step))
        made.watch(PLACES, keys=picture(direction), values=values)
    return made


def values(made: Run) -> dict[int, set[float]]:
    """The values of merged places by group."""
    tokens, slots = made.memory.tokens, made.memory.view().slots
    stored = made.pool.values.flatten(1, 2)[:, slots]
    found: dict[int, set[float]] = {}
    for slot, row in enumerate(made.memory.rows[0, 0].tolist()):
        if tokens.kind[row] == MERGED:
            found.setdefault(int(tokens.group[row]), set()).update(
                stored[:, slot].unique().tolist()
            )
    return found


def test_steps_that_look_alike_become_one_though_they_are_no_neighbours():
    made = run([0, 1, 0, 1, 2])
    tokens = made.memory.tokens
    assert set(tokens.group.tolist()) == {-1, 0, 1, 4}
    assert values(made) == {0: {1.0}, 1: {2.0}}, "the means of steps 0 and 2, and of 1 and 3"
    assert ((tokens.group == 0) & (tokens.kind == TEXT)).sum() == 1, "its mark stays"
    other = run([0, 1, 0, 1, 2], MovieChat(target=1.0))
    assert set(other.memory.tokens.group.tolist()) != set(tokens.group.tolist())


def test_no_more_are_merged_than_must_be():
    made = run([0, 1, 2, 1, 3])  # room for three of four
    assert values(made) == {1: {2.0}}
    assert set(made.memory.tokens.group.tolist()) == {-1, 0, 1, 2, 4}


def test_recent_steps_are_never_merged():
    made = run([0, 1, 2, 2, 2], FlashVStream(target=1.0, recent=0.6))
    tokens = made.memory.tokens
    whole = set(tokens.group[(tokens.kind != MERGED) & tokens.visual].tolist())
    assert {2, 3, 4} - whole <= {2}


def test_steps_without_pictures_are_merged_without_making_anything():
    made = Run(POLICY, capacity=10, sink=2)
    for _ in range(12):
        made.watch([])
    assert made.memory.held <= 10
    assert not (made.memory.tokens.kind == MERGED).any()


def test_what_vanished_weighs_on_what_was_merged():
    kind = np.array([MERGED, TEXT, TEXT], np.int8)
    group = np.array([4, 5, 6])
    tokens = TokenTable(np.zeros((3, 3), np.int64), group, np.zeros(3), kind)
    assert _weights(tokens, [4, 5, 6]).tolist() == [5.0, 1.0, 1.0]


@pytest.mark.parametrize("wrong", [{"target": 0.0}, {"recent": 1.0}])
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FlashVStream(**wrong)
