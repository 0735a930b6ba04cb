"""Two partial attentions merged by log-sum-exp against attention over everything at once."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.pool import KVShape, PagePool
from memory.readers.partial import merge, partial_attention
from memory.readers.reader import Plan
from memory.readers.tables import Span
from memory.readers.torch_reader import TorchReader
from memory.scratch import Scratch
from memory.view import View

SCALE = 8**-0.5


def reference(q, k, v, hidden=None):
    """Plain attention, [q, heads, d]."""
    groups = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
    mask = None if hidden is None else ~hidden
    return F.scaled_dot_product_attention(
        q.transpose(0, 1), k.transpose(0, 1), v.transpose(0, 1), attn_mask=mask, scale=SCALE
    ).transpose(0, 1)


def draw(seed: int, *lengths: int):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, heads, 8, generator=generator) for n, heads in lengths]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), past=st.integers(1, 40), own=st.integers(1, 12),
       earlier=st.integers(0, 5))  # fmt: skip
def test_memory_and_scratch_merged_equal_one_attention_over_both(seed, past, own, earlier):
    q, k, v = draw(seed, (own, 4), (past + earlier + own, 2), (past + earlier + own, 2))
    hidden = torch.ones(own, past + earlier + own, dtype=torch.bool).triu(past + earlier + 1)
    a = partial_attention(q, k[:past], v[:past], SCALE, causal=False)
    b = partial_attention(q, k[past:], v[past:], SCALE, causal=True)
    out, lse = merge(*a, *b)
    assert torch.allclose(out, reference(q, k, v, hidden), atol=1e-5)
    back, lse_back = merge(*b, *a)
    assert torch.allclose(out, back, atol=1e-6)
    assert torch.allclose(lse, lse_back, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), parts=st.lists(st.integers(1, 9), min_size=3, max_size=5))
def test_merging_is_associative(seed, parts):
    q, k, v = draw(seed, (3, 4), (sum(parts), 2), (sum(parts), 2))
    pieces = zip(k.split(parts), v.split(parts), strict=True)
    done = [partial_attention(q, a, b, SCALE, causal=False) for a, b in pieces]
    left = done[0]
    for one in done[1:]:
        left = merge(*left, *one)
    right = done[-1]
    for one in reversed(done[:-1]):
        right = merge(*one, *right)
    assert torch.allclose(left[0], right[0], atol=1e-5)
    assert torch.allclose(left[0], reference(q, k, v), atol=1e-5)


@pytest.mark.parametrize("page_size", [1, 4, 16])
def test_a_packed_plan_reads_pages_in_any_order_and_writes_where_it_should(page_size):
    pool = PagePool(KVShape(2, 2, 8), 64, page_size)
    generator = torch.Generator().manual_seed(1)
    table = [9, 3, 30, 17, 5, 40, 2, 8, 11, 50, 1, 0, 6, 7, 12, 13, 14, 15, 16, 18][
        : -(-19 // page_size)
    ]
    memory = View.of(table, 19, page_size, pool.device)
    pool.keys.normal_(generator=generator)
    pool.values.normal_(generator=generator)
    past_k, past_v = (
        store[1].flatten(0, 1)[memory.slots].clone() for store in (pool.keys, pool.values)
    )
    for page in list(range(64)):  # so that the scratches take pages the memory does not use
        if page in table:
            pool._free.remove(page)
            pool._references[page] = 1
    scratches = [Scratch(pool, 8), Scratch(pool, 8)]
    lengths = [5, 2]
    q, k, v = draw(2, (7, 4), (7, 2), (7, 2))
    slots = torch.cat([s.extend(n) for s, n in zip(scratches, lengths, strict=True)])
    spans = (
        Span(0, 5, memory, scratches[0].view()),
        Span(5, 7, None, scratches[1].view()),
    )
    out = Plan(pool, spans, slots, TorchReader()).attend(1, q, k, v, SCALE)
    hidden = torch.ones(5, 24, dtype=torch.bool).triu(20)
    keys, values = torch.cat([past_k, k[:5]]), torch.cat([past_v, v[:5]])
    assert torch.allclose(out[:5], reference(q[:5], keys, values, hidden), atol=1e-5)
    hidden = torch.ones(2, 2, dtype=torch.bool).triu(1)
    assert torch.allclose(out[5:], reference(q[5:], k[5:], v[5:], hidden), atol=1e-5)
    # the order of a memory's slots does not matter
    mixed = torch.randperm(19, generator=generator)
    shuffled = View(memory.pages, 19, memory.slots[mixed])
    again = Plan(pool, (Span(0, 5, shuffled, scratches[0].view()), spans[1]), slots, TorchReader())
    assert torch.allclose(again.attend(1, q, k, v, SCALE), out, atol=1e-5)


@pytest.mark.parametrize("queries", [1, 3])
def test_a_side_without_any_key_adds_nothing_and_two_such_sides_are_nothing(queries):
    q, k, v = draw(5, (queries, 4), (7, 2), (7, 2))
    some = partial_attention(q, k, v, SCALE, causal=False)
    none = partial_attention(q, k[:0], v[:0], SCALE, causal=False)
    assert torch.all(none[0] == 0) and torch.all(none[1] == float("-inf"))
    for merged in (merge(*some, *none), merge(*none, *some)):
        assert torch.allclose(merged[0], some[0]) and torch.allclose(merged[1], some[1])
    both = merge(*none, *none)
    assert torch.all(both[0] == 0) and torch.all(both[1] == float("-inf"))


def test_a_head_without_any_key_adds_nothing_beside_heads_that_have_some():
    q, k, v = draw(6, (3, 4), (7, 2), (7, 2))
    out, lse = partial_attention(q, k, v, SCALE, causal=False, lengths=torch.tensor([0, 4]))
    assert torch.all(out[:, :2] == 0) and torch.all(lse[:, :2] == float("-inf"))
    assert torch.allclose(out[:, 2:], reference(q[:, 2:], k[:4, 1:], v[:4, 1:]), atol=1e-5)
