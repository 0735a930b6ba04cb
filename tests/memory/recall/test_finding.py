"""What a question finds among archived steps."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from memory.codecs.plain import Plain
from memory.recall.archive import Archive, Step
from memory.recall.finding import find
from tests.memory.recall.steps import HEADS, LAYERS, ROTATION, D, put, step

torch.set_num_threads(1)

WORDS, QUERY_HEADS = 5, 4


def archived(count: int = 30, sizes: tuple[int, ...] = (4,)) -> tuple[Step, ...]:
    kept = Archive(Plain(), ROTATION, 10**9)
    for number in range(count):
        put(kept, step(number, sizes[number % len(sizes)]))
    return kept.steps


def asking(seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(LAYERS, WORDS, QUERY_HEADS, D, generator=generator)


def like(one: Step, word: int, queries: torch.Tensor, strength: float = 10.0) -> torch.Tensor:
    """The same question, one word of which looks for what a step shows."""
    looked = one.landmark.float().repeat_interleave(QUERY_HEADS // HEADS, 1)  # [l, heads, d]
    queries = queries.clone()
    queries[:, word] += strength * looked
    return queries


@pytest.mark.parametrize("planted", [0, 7, 29])
@pytest.mark.parametrize("word", [0, WORDS - 1])
def test_the_step_that_one_word_looks_for_is_found_first(planted, word):
    steps = archived()
    (found,) = find(steps, like(steps[planted], word, asking()), budget=5)
    assert found is steps[planted]


def test_each_of_two_words_finds_its_step():
    steps = archived()
    queries = like(steps[3], 0, like(steps[21], 4, asking()))
    assert find(steps, queries, budget=10) == (steps[3], steps[21])


@given(seed=st.integers(0, 99), budget=st.integers(0, 200))
def test_the_budget_is_never_exceeded_and_time_never_runs_backwards(seed, budget):
    steps = STEPS_OF_MANY_SIZES
    found = find(steps, asking(seed), budget)
    assert sum(len(one) for one in found) <= budget
    times = [one.time for one in found]
    assert times == sorted(set(times))
    left = budget - sum(len(one) for one in found)
    assert all(len(one) > left for one in steps if one not in found), "no room is wasted"


STEPS_OF_MANY_SIZES = archived(20, (1, 4, 12, 30))


def test_nothing_is_found_in_nothing():
    assert find((), asking(), 100) == ()
    only = archived(1)
    assert find(only, asking(), 100) == only


@pytest.mark.parametrize("seed", range(5))
def test_another_order_of_the_archive_changes_nothing_but_the_order(seed):
    steps = list(archived())
    found = find(steps, asking(seed), budget=40)
    random.Random(seed).shuffle(steps)
    assert {one.time for one in find(steps, asking(seed), budget=40)} == {x.time for x in found}


@pytest.mark.parametrize("seed", range(5))
def test_how_loud_a_head_is_does_not_matter(seed):
    """Otherwise the loudest head of the loudest layer would decide alone."""
    steps = archived()
    scale = 2.0 ** torch.arange(-4, LAYERS * HEADS - 4).view(LAYERS, HEADS, 1).float() * 8
    louder = tuple(replace(x, landmark=(x.landmark * scale).to(torch.bfloat16)) for x in steps)
    found, again = (find(x, asking(seed), budget=40) for x in (steps, louder))
    assert [x.time for x in found] == [x.time for x in again]


def test_what_all_steps_share_does_not_hide_what_one_of_them_shows():
    """A key that all have in common, as real keys do, is many times larger than what differs."""
    steps = archived()
    common = 20 * torch.randn(LAYERS, HEADS, D, generator=torch.Generator().manual_seed(1))
    biased = [replace(one, landmark=one.landmark + common) for one in steps]
    queries = like(steps[11], 2, asking(), strength=3.0)
    (found,) = find(biased, queries, budget=5)
    assert found.time == 11.0


def test_query_heads_look_at_the_keys_of_their_own_group():
    """Heads 0 and 1 read the first head of keys, 2 and 3 the second."""
    steps = archived()
    wanted = steps[4].landmark.float()
    queries = torch.zeros(LAYERS, 1, QUERY_HEADS, D)
    queries[:, 0, :2], queries[:, 0, 2:] = wanted[:, :1], wanted[:, 1:]
    assert find(steps, queries, budget=5) == (steps[4],)
    queries[:, 0, :2], queries[:, 0, 2:] = wanted[:, 1:], wanted[:, :1]
    assert find(steps, queries, budget=5) != (steps[4],)
