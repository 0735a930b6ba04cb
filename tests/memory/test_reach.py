"""What lies too far back is given up, whatever a policy would keep, and little is lost by it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from memory.codecs.plain import Plain
from memory.policies.hermes import Hermes
from memory.policies.registry import POLICIES
from memory.policies.sink_window import SinkWindow
from memory.policies.stream_mem import StreamMem
from memory.reach import Reach
from memory.recall.archive import Archive
from memory.table import TokenTable, described
from tests.memory.policies.running import ROTATION, SHAPE, Run
from tests.memory.policies.test_laws import feed

EVERY = pytest.mark.parametrize("kind", POLICIES, ids=lambda kind: kind.__name__)
REACH = Reach(80)  # steps take 5 positions


def farthest(run: Run) -> int:
    steps = run.memory.tokens.positions[~run.memory.tokens.sink]
    return run.memory.next_position - int(steps.min())


@EVERY
def test_a_stream_far_beyond_the_reach_goes_on_within_it(kind):
    run = Run(kind(), capacity=60, reach=REACH, seed=6)
    for _ in range(80):
        feed(run, 1)
        memory = run.memory
        assert farthest(run) <= REACH.positions
        assert memory.sink_strays(memory.next_position) == (memory.next_position > REACH.positions)
        assert memory.held <= memory.capacity
        assert run.evicted == memory.seen - memory.held
        for rows in memory.rows.flatten(0, 1):
            assert set(memory.tokens.group[rows[rows >= 0].numpy()].tolist()) > {-1}
        run.pool.check()
    keys = run.pool.keys.flatten(1, 2)[:, run.memory.view().slots]
    for position, slot in run.held(SHAPE.layers - 1, 1).items():
        assert torch.equal(keys[-1, slot, 1], run.keys[position][-1, 1])


@pytest.mark.parametrize("policy", [Hermes(), StreamMem()], ids=lambda policy: policy.method)
def test_without_a_reach_something_stays_for_ever(policy):
    """The negative control: or nothing above would mean anything."""
    assert farthest(feed(Run(policy, capacity=60, seed=6), 80)) > REACH.positions


def test_a_moved_beginning_strays_no_more():
    run = feed(Run(SinkWindow(), capacity=60, reach=REACH), 40)
    memory = run.memory
    end = memory.next_position
    assert memory.sink_strays(end)
    at = memory.oldest_position() - 3 + np.repeat(np.arange(3)[:, None], 3, axis=1)
    memory.move_sink(memory.view().slots[:3].clone(), at)
    assert not memory.sink_strays(end)


def test_steps_beyond_the_reach_go_to_the_archive():
    run = Run(SinkWindow(), capacity=400, reach=REACH)
    run.memory.archive = Archive(Plain(), ROTATION, SHAPE, 10**7)
    for _ in range(20):
        run.watch([0, 5])
    tokens = run.memory.tokens
    held = sorted(set(tokens.group[~tokens.sink].tolist()))
    archived = [int(step.time) for step in run.memory.archive.steps]
    assert archived
    assert archived + held == list(range(20))


@given(
    reach=st.integers(1, 300),
    gaps=st.lists(st.integers(1, 40), min_size=1, max_size=30),
    sink=st.integers(0, 3),
)
def test_after_it_all_steps_are_near_and_before_it_is_due_nothing_goes(reach, gaps, sink):
    at = np.repeat(np.cumsum([0] * sink + gaps)[:, None], 3, axis=1)
    times = np.arange(len(gaps), dtype=np.float64)
    tokens = described(at[:sink], None, None, 0).joined(described(at[sink:], times, None, 0))
    end, limit = int(at.max()) + 1, Reach(reach)
    lost = limit.lost(tokens, end)
    assert not (lost & tokens.sink).any()
    back = end - at[:, 0]
    if back.max() <= reach:
        assert not lost.any()
    else:
        assert (back[~lost & ~tokens.sink] <= reach - limit.slack).all()
        assert (back[lost] > reach - limit.slack).all()


def test_no_reach_is_refused_and_nothing_held_is_in_reach():
    with pytest.raises(ValueError, match="at least 1"):
        Reach(0)
    assert not Reach(1).exceeded(TokenTable.empty(), 5)
