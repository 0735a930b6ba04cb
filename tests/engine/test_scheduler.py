from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.pace import Cost, StepPace
from engine.scheduler import LEAST, Scheduler, Waiting

jobs = st.lists(
    st.builds(
        Waiting,
        job=st.integers(1, 10_000),
        size=st.integers(1, 500),
        since=st.floats(0, 100),
        urgent=st.booleans(),
        camera=st.integers(1, 100_000),
    ),
    unique_by=(lambda job: job.job, lambda job: job.camera),
    max_size=12,
)
budgets = st.integers(2, 400)


@given(decoding=st.lists(st.integers(), unique=True, max_size=8), prefills=jobs, encodes=jobs,
       budget=budgets)  # fmt: skip
def test_laws_of_a_step(decoding, prefills, encodes, budget):
    plan = Scheduler(prefill_tokens=budget, encode_tokens=budget).plan(decoding, prefills, encodes)
    assert list(plan.decode) == decoding, "every answer that speaks gets a token"
    sizes = {job.job: job.size for job in prefills}
    assert all(0 < tokens <= sizes[job] for job, tokens in plan.prefill)
    questions = sum(job.urgent for job in prefills)
    total = sum(tokens for _, tokens in plan.prefill)
    assert total <= max(budget, questions + -(-budget // 4))
    assert total >= min(budget, sum(sizes.values())), "nothing is wasted"
    assert bool(plan.encode) == bool(encodes)
    if len(plan.encode) > 1:
        assert sum(j.size for j in encodes if j.job in plan.encode) <= budget


@given(prefills=jobs, budget=budgets)
def test_every_question_gets_on_in_every_step_and_goes_before_segments(prefills, budget):
    plan = Scheduler(prefill_tokens=budget).plan([], prefills, [])
    urgent = {job.job: job.urgent for job in prefills}
    served = [job for job, _ in plan.prefill]
    assert {job for job in served if urgent[job]} == {job for job in urgent if urgent[job]}
    assert [urgent[job] for job in served] == sorted((urgent[job] for job in served), reverse=True)


@given(prefills=jobs, budget=budgets)
def test_no_question_waits_for_the_length_of_another(prefills, budget):
    plan = Scheduler(prefill_tokens=budget).plan([], prefills, [])
    left = {job.job: job.size for job in prefills if job.urgent}
    got = {job: tokens for job, tokens in plan.prefill if job in left}
    unfinished = [got[job] for job in got if got[job] < left[job]]
    for tokens in unfinished:  # nobody who wants more has less than another, but for rounding
        assert tokens >= max(got.values()) - 1 - len(got)


@given(prefills=jobs, budget=budgets)
def test_however_many_questions_come_segments_that_wait_keep_a_quarter(prefills, budget):
    plan = Scheduler(prefill_tokens=budget).plan([], prefills, [])
    urgent = {job.job: job.urgent for job in prefills}
    got = sum(tokens for job, tokens in plan.prefill if not urgent[job])
    waiting = sum(job.size for job in prefills if not job.urgent)
    assert got >= min(-(-budget // 4), waiting)


class Town:
    """Cameras and questions that come at random, served by a real scheduler step by step."""

    def __init__(self, scheduler: Scheduler, cameras: int) -> None:
        self.scheduler = scheduler
        self.step = 0
        self.waits: dict[int, Waiting] = {}  # by camera: one segment each, as in the engine
        self.began: dict[int, int] = {}  # by camera: the step in which its segment came
        self.finished: list[tuple[int, int, int]] = []  # camera, size, steps it took
        self.size: dict[int, int] = {}
        self.questions = 0
        self.cameras = cameras

    def arrive(self, camera: int, size: int) -> None:
        if camera not in self.waits:
            job = Waiting(1000 + camera, size, float(self.step), camera=camera)
            self.waits[camera] = job
            self.size[camera], self.began[camera] = size, self.step

    def run(self, questions: int) -> None:
        asked = [Waiting(1 + n, 300, 0.0, urgent=True) for n in range(questions)]
        plan = self.scheduler.plan([], [*asked, *self.waits.values()], [])
        self.step += 1
        for job, tokens in plan.prefill:
            if job < 1000:
                continue
            camera = job - 1000
            left = self.waits[camera].size - tokens
            if left:
                self.waits[camera] = replace(self.waits[camera], size=left)
            else:
                del self.waits[camera]
                took = self.step - self.began[camera]
                self.finished.append((camera, self.size[camera], took))


@given(data=st.data(), cameras=st.integers(1, 6), budget=st.integers(8, 200))
def test_every_segment_is_served_within_its_bound_however_work_arrives(data, cameras, budget):
    """While one waits for `s` tokens each other gets at most s and two grants beyond."""
    town, most = Town(Scheduler(prefill_tokens=budget), cameras), 300
    for _ in range(data.draw(st.integers(5, 40))):
        for camera in range(cameras):
            if data.draw(st.booleans()):
                town.arrive(camera, data.draw(st.integers(1, most)))
        town.run(data.draw(st.integers(0, 4)))
    for _ in range(1000):
        town.run(4)
        if not town.waits:
            break
    assert not town.waits
    grant = min(most, budget)
    for _camera, size, took in town.finished:
        before = size + (cameras - 1) * (size + 2 * grant)
        assert took <= -(-before // -(-budget // 4)) + 1


def test_a_greedy_camera_cannot_delay_others_beyond_its_share():
    """At most one grant of who always wants all goes before, and nothing is wasted."""
    town = Town(Scheduler(prefill_tokens=64), 2)
    for step in range(200):
        town.arrive(0, 10_000)
        if step % 5 == 0:
            town.arrive(1, 40)
        town.run(0)
    small = [took for camera, _, took in town.finished if camera == 1]
    assert len(small) == 40
    assert max(small) <= 2
    greedy = sum(size for camera, size, _ in town.finished if camera == 0)
    ends = 64 * len(town.finished)  # in the step in which a segment ends the next is not there yet
    assert greedy + 10_000 - town.waits[0].size >= 200 * 64 - 40 * 40 - ends + 64 * len(small)


def test_cameras_that_always_have_work_get_equal_shares_whatever_their_segments():
    got = dict.fromkeys(range(4), 0)
    scheduler, sizes = Scheduler(prefill_tokens=50), {0: 500, 1: 50, 2: 20, 3: 15}
    for _ in range(400):
        plan = scheduler.plan([], [Waiting(c, sizes[c], 0.0, camera=c) for c in sizes], [])
        for camera, tokens in plan.prefill:
            got[camera] += tokens
    assert max(got.values()) - min(got.values()) <= 100


def test_cameras_take_turns_in_being_seen():
    scheduler, seen = Scheduler(encode_tokens=100), dict.fromkeys(range(8), 0)
    for _ in range(80):
        plan = scheduler.plan([], [], [Waiting(c, 100, 0.0, camera=c) for c in seen])
        for camera in plan.encode:
            seen[camera] += 1
    assert set(seen.values()) == {10}


@given(
    cost=st.builds(Cost, st.floats(0, 60), st.just(0.0), st.floats(0.01, 1), st.floats(0.01, 1)),
    waiting=st.integers(0, 400),
)
def test_seeing_gets_what_reading_leaves_of_a_step_and_half_of_it_in_any_case(cost, waiting):
    pace = StepPace(50.0)
    pace.cost = cost
    prefills = [Waiting(1, waiting, 0.0, camera=1)] if waiting else []
    encodes = [Waiting(n, 5, 0.0, camera=n) for n in range(2, 2000)]
    plan = Scheduler(10_000, 10_000, pace).plan([], prefills, encodes)
    room = max(200 - cost.step, cost.step)
    read = cost.prefilled * sum(tokens for _, tokens in plan.prefill)
    seen = cost.encoded * 5 * len(plan.encode)
    assert seen + read <= room + cost.encoded * 5 + cost.prefilled * LEAST + 1e-6
    left = room - cost.prefilled * waiting
    assert seen <= max(room / 2, left) + cost.encoded * 5 + 1e-6, "and no more of it"
    assert seen >= min(max(room / 2, left), cost.encoded * 9000) - cost.encoded * 5 - 1e-6
    assert bool(plan.prefill) == bool(waiting)


def test_who_comes_back_after_a_pause_has_saved_nothing_up():
    scheduler = Scheduler(prefill_tokens=10)
    first = [Waiting(c, 10, 0.0, camera=c) for c in range(2)]
    for _ in range(100):  # camera 2 is away
        scheduler.plan([], first, [])
    back = [*first, Waiting(2, 10, 0.0, camera=2)]
    order = [scheduler.plan([], back, []).prefill[0][0] for _ in range(9)]
    assert max(order[n : n + 3].count(2) for n in range(7)) <= 2


def test_a_budget_without_room_for_a_question_beside_a_segment_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        Scheduler(prefill_tokens=1)


def test_deciding_needs_no_torch():
    code = "import sys, engine.scheduler; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
