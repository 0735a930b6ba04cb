"""What a question finds among landmarks, and among the steps of an archive."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from memory.codecs.plain import Plain
from memory.recall.archive import Archive
from memory.recall.finding import find
from tests.memory.recall.steps import HEADS, LAYERS, ROTATION, SHAPE, D, landmarks, put, step

torch.set_num_threads(1)

WORDS, QUERY_HEADS, SIZE = 5, 4, 5


def archived(count: int = 30, sizes: tuple[int, ...] = (4,)) -> Archive:
    kept = Archive(Plain(), ROTATION, SHAPE, 10**6)
    for number in range(count):
        put(kept, step(number, sizes[number % len(sizes)]))
    return kept


def asking(seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(LAYERS, WORDS, QUERY_HEADS, D, generator=generator)


def like(landmark: Tensor, word: int, queries: Tensor, strength: float = 10.0) -> Tensor:
    """The same question, one word of which looks for what a step shows."""
    looked = landmark.float().repeat_interleave(QUERY_HEADS // HEADS, 1)  # [l, heads, d]
    queries = queries.clone()
    queries[:, word] += strength * looked
    return queries


def found(rows: Tensor, queries: Tensor, steps: int) -> list[int]:
    """The best of some steps of one size."""
    return find(rows, [SIZE] * len(rows), queries, steps * SIZE)


ROWS = landmarks(archived())
MIXED = archived(20, (1, 4, 12, 30))


@pytest.mark.parametrize("planted", [0, 7, 29])
@pytest.mark.parametrize("word", [0, WORDS - 1])
def test_the_step_that_one_word_looks_for_is_found_first(planted, word):
    assert found(ROWS, like(ROWS[planted], word, asking()), 3)[0] == planted


@pytest.mark.parametrize("seed", range(5))
def test_among_some_rows_is_found_what_is_found_where_there_are_no_others(seed):
    draw = torch.Generator().manual_seed(seed)
    among = torch.randperm(len(ROWS), generator=draw)[:11].tolist()
    sizes = torch.randint(1, 9, (11,), generator=draw).tolist()
    wanted = find(ROWS[among], sizes, asking(seed), 20)
    assert find(ROWS, sizes, asking(seed), 20, among) == wanted
    assert wanted
    assert find(ROWS, [], asking(seed), 20, []) == []


def test_each_of_two_words_finds_its_step():
    queries = like(ROWS[3], 0, like(ROWS[21], 4, asking()))
    assert sorted(found(ROWS, queries, 2)) == [3, 21]


@given(seed=st.integers(0, 99), budget=st.integers(0, 200))
def test_the_budget_is_never_exceeded_and_time_never_runs_backwards(seed, budget):
    chosen = MIXED.find(asking(seed), budget)
    assert sum(len(one) for one in chosen) <= budget
    times = [one.time for one in chosen]
    assert times == sorted(set(times))
    left = budget - sum(len(one) for one in chosen)
    assert all(len(one) > left for one in MIXED.steps if one not in chosen), "no room is wasted"


def test_nothing_is_found_in_nothing():
    assert archived(0).find(asking(), 100) == ()
    only = archived(1)
    assert only.find(asking(), 100) == only.steps


@pytest.mark.parametrize("seed", range(5))
def test_only_what_lies_before_is_found_and_what_lies_later_has_no_say(seed):
    """What entered the archive after the snapshot was taken is in the snapshot already."""
    early, late = archived(12), archived(30)
    before = early.steps[-1].base + early.steps[-1].size
    chosen = late.find(asking(seed), 4 * SIZE, before)
    assert [x.time for x in chosen] == [x.time for x in early.find(asking(seed), 4 * SIZE)]
    assert late.find(asking(seed), 10**6, 0) == ()


def test_forgetting_leaves_every_step_its_own_landmark():
    """Rows move when others go."""
    whole = landmarks(archived(120))
    kept = Archive(Plain(), ROTATION, SHAPE, 60_000)
    for number in range(120):
        put(kept, step(number))
        for one, row in zip(kept.steps, landmarks(kept), strict=True):
            assert torch.equal(row, whole[int(one.time)])
    assert kept.forgotten > 40


@pytest.mark.parametrize("seed", range(5))
def test_another_order_of_the_rows_changes_nothing_but_the_order(seed):
    chosen = found(ROWS, asking(seed), 8)
    order = torch.randperm(len(ROWS), generator=torch.Generator().manual_seed(seed))
    again = found(ROWS[order], asking(seed), 8)
    assert {int(order[row]) for row in again} == set(chosen)


@pytest.mark.parametrize("seed", range(5))
def test_how_loud_a_head_is_does_not_matter(seed):
    """Otherwise the loudest head of the loudest layer would decide alone."""
    scale = 2.0 ** torch.arange(-4, LAYERS * HEADS - 4).view(LAYERS, HEADS, 1).float() * 8
    louder = (ROWS * scale).to(torch.bfloat16)
    assert found(ROWS, asking(seed), 8) == found(louder, asking(seed), 8)


def test_what_all_steps_share_does_not_hide_what_one_of_them_shows():
    """A key that all have in common, as real keys do, is many times larger than what differs."""
    common = 20 * torch.randn(LAYERS, HEADS, D, generator=torch.Generator().manual_seed(1))
    assert found(ROWS + common, like(ROWS[11], 2, asking(), strength=3.0), 1) == [11]


def test_query_heads_look_at_the_keys_of_their_own_group():
    """Heads 0 and 1 read the first head of keys, 2 and 3 the second."""
    wanted = ROWS[4].float()
    queries = torch.zeros(LAYERS, 1, QUERY_HEADS, D)
    queries[:, 0, :2], queries[:, 0, 2:] = wanted[:, :1], wanted[:, 1:]
    assert found(ROWS, queries, 1) == [4]
    queries[:, 0, :2], queries[:, 0, 2:] = wanted[:, 1:], wanted[:, :1]
    assert found(ROWS, queries, 1) != [4]
