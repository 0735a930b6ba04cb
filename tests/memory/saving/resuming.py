"""Memories that are saved and go on elsewhere, and what there is to compare of two."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch

from memory.codecs.codec import Codec
from memory.memory import KVMemory
from memory.policies.policy import MemoryPolicy
from memory.pool import PagePool
from memory.recall.archive import Archive
from memory.recall.step import thaw
from memory.saving.fit import Fit
from memory.saving.shelf import Saved, Shelf
from memory.saving.state import MemoryState
from tests.memory.policies.running import ROTATION, SHAPE, Run
from tests.memory.recall.steps import landmarks, opened

SINK = 3
CAPACITY = 40
ARCHIVE_BYTES = 150_000


def fit(
    policy: MemoryPolicy, codec: Codec | None = None, capacity: int = CAPACITY, name: str = "tiny"
) -> Fit:
    return Fit(name, f"{name} weights", SHAPE, SINK, capacity, policy, codec)


def begin(policy: MemoryPolicy, codec: Codec | None = None, seed: int = 0) -> Run:
    run = Run(policy, capacity=CAPACITY, sink=SINK, seed=seed)
    run.memory.archive = _archive(codec)
    return run


def watch(run: Run, steps: int) -> Run:
    for _ in range(steps):
        count = int(run.rng.integers(0, 14))
        run.watch(sorted(run.rng.choice(16, count, replace=False).tolist()))
    return run


def resume(run: Run, state: MemoryState, codec: Codec | None = None) -> Run:
    """Another pool with a memory that holds `state`, about to be fed what `run` will be fed."""
    other = copy.copy(run)
    other.pool = PagePool(SHAPE, 60, 5)
    other.memory = KVMemory(other.pool, CAPACITY, run.memory.policy, ROTATION, _archive(codec))
    other.memory.restore(state)
    other.rng = copy.deepcopy(run.rng)
    other.torch = torch.Generator().set_state(run.torch.get_state())
    other.keys, other.values = dict(run.keys), dict(run.values)
    return other


def through_disk(folder: Path, run: Run, suits: Fit) -> Saved:
    """What is read of what was written."""
    shelf = Shelf(folder, "porch", suits)
    state = run.memory.state()
    assert state.newest is not None
    shelf.write(state, state.newest, 1_000.0)
    saved = Shelf(folder, "porch", suits).read()
    assert saved is not None
    return saved


def assert_alike(one: KVMemory, other: KVMemory) -> None:
    """Bit for bit what attention, policies and archives read."""
    first, second = one.state(), other.state()
    for name in ("keys", "values", "rows"):
        assert torch.equal(getattr(first, name), getattr(second, name)), name
    for name in ("positions", "group", "kind"):
        assert np.array_equal(getattr(first.tokens, name), getattr(second.tokens, name)), name
    assert np.array_equal(first.tokens.time, second.tokens.time, equal_nan=True)
    for name in ("next_position", "next_group", "seen"):
        assert getattr(first, name) == getattr(second, name), name
    assert one.extent() is not other.extent()
    views = one.view(), other.view()
    assert views[0].length == views[1].length
    assert (views[0].lengths is None) == (views[1].lengths is None)
    if views[0].lengths is not None and views[1].lengths is not None:
        assert torch.equal(views[0].lengths, views[1].lengths)
    if one.archive is not None and other.archive is not None:
        _assert_archives_alike(one.archive, other.archive)


def _assert_archives_alike(one: Archive, other: Archive) -> None:
    assert (one.bytes, one.forgotten) == (other.bytes, other.forgotten)
    assert [a.span for a in one.steps] == [b.span for b in other.steps]
    assert torch.equal(landmarks(one), landmarks(other))
    for a, b in zip(thaw(opened(one)), thaw(opened(other)), strict=True):
        assert torch.equal(a.keys, b.keys)
        assert torch.equal(a.values, b.values)
        assert torch.equal(a.positions, b.positions)


def _archive(codec: Codec | None) -> Archive | None:
    return None if codec is None else Archive(codec, ROTATION, SHAPE, ARCHIVE_BYTES)
