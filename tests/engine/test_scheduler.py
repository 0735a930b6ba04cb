from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from engine.scheduler import Scheduler, Waiting

jobs = st.lists(
    st.builds(
        Waiting,
        job=st.integers(1, 10_000),
        size=st.integers(1, 500),
        since=st.floats(0, 100),
        urgent=st.booleans(),
    ),
    unique_by=lambda job: job.job,
    max_size=12,
)


@given(decoding=st.lists(st.integers(), unique=True, max_size=8), prefills=jobs, encodes=jobs,
       budget=st.integers(1, 400))  # fmt: skip
def test_laws_of_a_step(decoding, prefills, encodes, budget):
    plan = Scheduler(prefill_tokens=budget, encode_tokens=budget).plan(decoding, prefills, encodes)
    assert list(plan.decode) == decoding, "every answer that speaks gets a token"
    sizes = {job.job: job.size for job in prefills}
    assert all(0 < tokens <= sizes[job] for job, tokens in plan.prefill)
    assert sum(tokens for _, tokens in plan.prefill) <= budget
    assert bool(plan.prefill) == bool(prefills), "somebody always gets on"
    assert bool(plan.encode) == bool(encodes)
    if len(plan.encode) > 1:
        assert sum(j.size for j in encodes if j.job in plan.encode) <= budget


@given(prefills=jobs)
def test_a_question_goes_before_segments_and_the_older_before_the_younger(prefills):
    plan = Scheduler(prefill_tokens=100).plan([], prefills, [])
    rank = {job.job: (not job.urgent, job.since) for job in prefills}
    order = [rank[job] for job, _ in plan.prefill]
    assert order == sorted(order)
    served = {job for job, _ in plan.prefill}
    for urgent in (True, False):
        ages = [job.since for job in prefills if job.urgent is urgent and job.job in served]
        others = [job.since for job in prefills if job.urgent is urgent and job.job not in served]
        assert all(since >= max(ages) for since in others if ages)


@given(prefills=jobs, budget=st.integers(4, 400))
def test_however_many_questions_come_segments_that_wait_keep_a_quarter(prefills, budget):
    plan = Scheduler(prefill_tokens=budget).plan([], prefills, [])
    urgent = {job.job: job.urgent for job in prefills}
    got = sum(tokens for job, tokens in plan.prefill if not urgent[job])
    waiting = sum(job.size for job in prefills if not job.urgent)
    assert got >= min(budget // 4, waiting)
    total = sum(job.size for job in prefills)
    assert sum(tokens for _, tokens in plan.prefill) == min(budget, total), "nothing is wasted"


def test_no_camera_starves():
    """With eight cameras that always have work, each gets on within as many steps."""
    scheduler, now = Scheduler(prefill_tokens=10, encode_tokens=10), 0.0
    since = dict.fromkeys(range(8), 0.0)
    served = dict.fromkeys(range(8), 0)
    for _ in range(80):
        now += 1
        plan = scheduler.plan([], [Waiting(job, 10, since[job]) for job in since], [])
        for job, _tokens in plan.prefill:
            served[job] += 1
            since[job] = now
    assert set(served.values()) == {10}


def test_deciding_needs_no_torch():
    code = "import sys, engine.scheduler; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
