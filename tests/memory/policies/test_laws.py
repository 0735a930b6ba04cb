"""Laws of every memory policy, those added later included."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from memory.memory import KVMemory
from memory.policies.policy import Observes
from memory.policies.registry import POLICIES
from memory.policies.sink_window import RecentSeconds, RecentSteps
from memory.policies.video_scan import VideoScanCarriers
from memory.pool import PagePool
from memory.table import SUMMARY
from tests.memory.policies.running import SHAPE, Run

EVERY = pytest.mark.parametrize("kind", POLICIES, ids=lambda kind: kind.__name__)
FORGETFUL = (RecentSteps, RecentSeconds, VideoScanCarriers)  # however much room there is


def feed(run: Run, steps: int) -> Run:
    for _ in range(steps):
        count = int(run.rng.integers(0, 14))
        run.watch(sorted(run.rng.choice(16, count, replace=False).tolist()))
    return run


@EVERY
@pytest.mark.parametrize("seed", range(4))
def test_no_head_ever_holds_more_than_the_capacity_and_the_sink_stays(kind, seed):
    run = Run(kind(), capacity=40, seed=seed)
    for _ in range(30):
        feed(run, 1)
        memory = run.memory
        assert memory.held <= memory.capacity
        assert memory.view().length == memory.held
        for layer in range(SHAPE.layers):
            for head in range(SHAPE.kv_heads):
                assert {(0, 0, 0), (1, 1, 1), (2, 2, 2)} <= set(run.held(layer, head))
        assert run.evicted == memory.seen - memory.held
        run.pool.check()


@EVERY
def test_every_head_reads_its_own_tokens_bit_for_bit(kind):
    run = feed(Run(kind(), capacity=40, seed=5), 25)
    view = run.memory.view()
    keys = run.pool.keys.flatten(1, 2)[:, view.slots]
    values = run.pool.values.flatten(1, 2)[:, view.slots]
    lengths = view.lengths
    for layer in range(SHAPE.layers):
        for head in range(SHAPE.kv_heads):
            held = run.held(layer, head)
            assert len(held) > 3, "something is remembered"
            for position, slot in held.items():
                assert lengths is None or slot < int(lengths[layer, head])
                assert torch.equal(keys[layer, slot, head], run.keys[position][layer, head])
                assert torch.equal(values[layer, slot, head], run.values[position][layer, head])


@EVERY
def test_what_fits_stays(kind):
    run = feed(Run(kind(), capacity=400), 12)
    tokens = run.memory.tokens
    if kind in FORGETFUL:
        assert len(tokens) < run.memory.seen or isinstance(run.memory.policy, RecentSeconds)
    else:
        assert len(tokens) == run.memory.held == run.memory.seen
        assert run.evicted == 0


@EVERY
def test_the_newest_step_is_always_held_whole_but_for_what_settles(kind):
    run = Run(kind(), capacity=40, seed=2)
    for _ in range(20):
        feed(run, 1)
        newest = run.memory.tokens.group.max()
        wanted = int((run.memory.tokens.group == newest).sum())
        for layer in range(len(run.memory.rows)):
            for rows in run.memory.rows[layer]:
                groups = run.memory.tokens.group[rows[rows >= 0].numpy()]
                found = int((groups == newest).sum())
                assert found == wanted or (kind().observes is Observes.STATES and found > 0)
                assert found == wanted or layer > 0, "which likeness never touches"


@EVERY
def test_the_same_stream_is_remembered_the_same(kind):
    first, second = (feed(Run(kind(), capacity=40, seed=9), 20) for _ in range(2))
    assert torch.equal(first.memory.rows, second.memory.rows)
    assert np.array_equal(first.memory.tokens.positions, second.memory.tokens.positions)
    for name in ("keys", "values"):
        assert torch.equal(getattr(first.pool, name), getattr(second.pool, name))


@EVERY
def test_snapshots_never_change_and_nothing_leaks(kind):
    run = feed(Run(kind(), capacity=40, seed=3), 10)
    taken = []
    for _ in range(12):
        snapshot = run.memory.snapshot()
        view = snapshot.view
        stores = [store.flatten(1, 2)[:, view.slots].clone() for store in _stores(run.pool)]
        taken.append((snapshot, stores))
        feed(run, 1)
        for one, (keys, values) in taken:
            now = [store.flatten(1, 2)[:, one.view.slots] for store in _stores(run.pool)]
            assert torch.equal(now[0], keys)
            assert torch.equal(now[1], values)
        if len(taken) > 2:
            taken.pop(0)[0].release()
    run.memory.release()
    for one, _ in taken:
        one.release()
    assert run.pool.free == run.pool.unpromised == run.pool.pages


@EVERY
def test_a_step_that_alone_is_too_large_loses_its_first_tokens(kind):
    run = Run(kind(), capacity=12)
    run.watch(list(range(16)))
    assert run.memory.held == 12
    last = {position for position in run.held(0, 0) if position[0] > 3}
    assert len(last) == 9
    assert max(run.keys) in last


@EVERY
def test_nothing_but_the_sink_of_a_beginning_is_a_valid_memory(kind):
    memory = KVMemory(PagePool(SHAPE, 20, 8), 20, kind())
    assert (memory.held, memory.extent().t_start) == (0, None)
    assert memory.view().length == 0


@EVERY
def test_steps_go_whole_where_that_is_promised(kind):
    """Of random steps every other policy leaves parts, or parts averaged, of some."""
    run, sizes, whole = Run(kind(), capacity=60, seed=1), {}, True
    for number in range(30):
        feed(run, 1)
        tokens = run.memory.tokens
        sizes[number] = int((tokens.group == number).sum())
        for group in set(tokens.group[~tokens.sink].tolist()):
            for rows in run.memory.rows.flatten(0, 1):
                own = tokens.rows(rows[rows >= 0].numpy())
                held = int((own.group == group).sum())
                whole &= held in (0, sizes[group]) and not (own.kind >= SUMMARY).any()
    assert whole == kind.whole_steps


@EVERY
def test_who_wants_queries_says_how_many(kind):
    policy = kind()
    assert (policy.queries > 0) == (policy.observes in (Observes.NEWEST, Observes.PROXY))


def _stores(pool: PagePool) -> tuple[torch.Tensor, torch.Tensor]:
    return pool.keys, pool.values
