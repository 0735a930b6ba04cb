"""Policies compute where the keys are.

A `meta` tensor has a device and a shape and no numbers, and refuses tensors of the host beside it:
so parts that ask no number of a tensor show here, without a GPU, whether they would run on one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from memory.observation import Observed
from memory.policies.hermes import leanings, scores
from memory.policies.policy import Contents
from memory.policies.ranking import agreed, best, minmax, ranks, received
from memory.policies.registry import POLICIES
from memory.policies.stream_mem import prototypes
from memory.pool import PagePool
from tests.memory.policies.running import HEADS, SHAPE, Run


def elsewhere(contents: Contents) -> Contents:
    """The same on a device that holds no numbers."""
    pool = PagePool(SHAPE, 100, 8, "meta")
    seen = Observed(6)
    for layer in range(SHAPE.layers):
        seen.note(layer, torch.empty(6, HEADS, SHAPE.head_dim, device="meta"))
    rows, slots = contents.rows.to("meta"), contents.slots.to("meta")
    return replace(contents, rows=rows, slots=slots, pool=pool, observed=seen)


@pytest.fixture
def contents() -> Contents:
    run = Run(POLICIES[-1](), capacity=80)
    for _ in range(4):
        run.watch(list(range(16)))
    held = run.memory._contents(None)
    per_head = held.rows.expand(SHAPE.layers, SHAPE.kv_heads, -1)
    return elsewhere(replace(held, rows=per_head))


def test_scores_are_made_where_the_keys_are(contents):
    by_head = torch.stack([received(contents, layer) for layer in range(SHAPE.layers)])
    count = torch.full_like(contents.rows[..., 0], 3)
    among = contents.filled & ~contents.sink
    made = [by_head, agreed(by_head, contents), minmax(by_head, among), ranks(by_head),
            best(by_head, among, count), scores(contents)]  # fmt: skip
    assert {one.device.type for one in made} == {"meta"}
    assert {one.shape for one in made} == {contents.rows.shape}
    assert len(leanings(SHAPE.layers)) == SHAPE.layers


def test_prototypes_are_made_where_the_keys_are(contents):
    weights = torch.empty(contents.rows.shape, device="meta")
    made = prototypes(contents, weights, np.array([0, 1, 2]))
    assert made.keys.device.type == made.values.device.type == "meta"
    assert made.keys.shape == (SHAPE.layers, SHAPE.kv_heads, 3, SHAPE.head_dim)


def test_the_host_beside_it_is_noticed(contents):
    """The negative control: or nothing above would mean anything."""
    by_head = torch.zeros(contents.rows.shape)
    with pytest.raises(RuntimeError, match="meta"):
        best(by_head.to("meta"), contents.filled, torch.full(contents.rows.shape[:2], 3))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", POLICIES, ids=lambda kind: kind.__name__)
def test_a_memory_on_a_gpu_holds_what_one_on_the_host_holds(kind):
    runs = [Run(kind(), capacity=80, device=device) for device in ("cpu", "cuda")]
    for run in runs:
        for number in range(12):
            run.watch(list(range(number % 5, 16)))
    host, device = (run.memory for run in runs)
    assert device.held == host.held
    assert torch.equal(device.rows, host.rows)
    slots = device.view().slots
    for store, other in ((runs[1].pool.keys, runs[0].pool.keys),
                         (runs[1].pool.values, runs[0].pool.values)):  # fmt: skip
        found, wanted = store.flatten(1, 2)[:, slots].cpu(), other.flatten(1, 2)[:, slots.cpu()]
        assert (found - wanted).abs().max() < 1e-4
