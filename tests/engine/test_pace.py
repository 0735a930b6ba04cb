from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.pace import WARMING, Cost, Load, StepPace, fitting
from engine.scheduler import LEAST, Scheduler, Waiting

costs = st.builds(
    Cost,
    step=st.floats(0.5, 20),
    row=st.floats(0.0, 2),
    prefilled=st.floats(0.01, 0.3),
    encoded=st.floats(0.01, 0.3),
)


def drawn(dice: random.Random) -> Load:
    """Decode only, prefill, encodes, and both, as a live engine mixes them."""
    return Load(
        dice.randint(0, 8),
        dice.choice([0, dice.randint(1, 256)]),
        dice.choice([0, 0, 64, 128, 256]),
    )


def learnt(truth: Cost, seed: int, steps: int = 600, outliers: float = 0.0) -> StepPace:
    dice, pace = random.Random(seed), StepPace()
    for _ in range(steps):
        load = drawn(dice)
        slow = 20 if dice.random() < outliers else 1
        pace.note(load, truth.of(load) * dice.uniform(0.95, 1.05) * slow)
    return pace


def wrong(pace: StepPace, truth: Cost, seed: int) -> float:
    """Mean error of what is expected of a step, relative to the mean step."""
    dice = random.Random(seed + 1)
    loads = [drawn(dice) for _ in range(200)]
    off = sum(abs(pace.cost.of(load) - truth.of(load)) for load in loads)
    return off / sum(truth.of(load) for load in loads)


@given(truth=costs, seed=st.integers(0, 1000))
def test_it_learns_what_steps_cost(truth, seed):
    assert wrong(learnt(truth, seed), truth, seed) < 0.1


@given(truth=costs, seed=st.integers(0, 1000))
def test_one_step_in_fifty_that_takes_twenty_times_as_long_hardly_matters(truth, seed):
    assert wrong(learnt(truth, seed, outliers=0.02), truth, seed) < 0.3


@given(truth=costs, seed=st.integers(0, 1000), warming=st.floats(100, 100_000))
def test_the_first_steps_of_each_kind_which_compile_are_not_taken_for_what_steps_cost(
    truth, seed, warming
):
    cold, warm, dice = StepPace(), StepPace(), random.Random(seed)
    kinds = [Load(0, 30, 0), Load(0, 0, 64), Load(1, 0, 0), Load(1, 30, 0)]
    for turn in range(12):
        for load in kinds:
            ms = truth.of(load) * dice.uniform(0.95, 1.05)
            warm.note(load, ms)
            cold.note(load, ms + (warming if turn < WARMING else 0))
    assert cold.measured
    assert cold.cost == warm.cost


@given(truth=costs, seed=st.integers(0, 1000))
def test_no_cost_is_ever_negative(truth, seed):
    dice, pace = random.Random(seed), StepPace()
    for _ in range(100):
        pace.note(drawn(dice), dice.choice([0.0, truth.of(drawn(dice)), 500.0]))
        cost = pace.cost
        assert min(cost.step, cost.row, cost.prefilled, cost.encoded) >= 0


@given(
    room=st.floats(0, 1e4),
    each=st.floats(0, 10),
    least=st.integers(0, 64),
    most=st.integers(1, 512),
)
def test_what_fits_lies_between_its_bounds_and_takes_no_longer_than_there_is(
    room, each, least, most
):
    tokens = fitting(room, each, least, most)
    assert least <= tokens <= max(least, most)
    assert tokens <= least or tokens * each <= room * (1 + 1e-9)
    assert tokens >= min(most, fitting(room / 2, each, least, most)), "more room, more tokens"


def budget(scheduler: Scheduler) -> int:
    """Of a step in which one answer speaks and a large segment waits."""
    return scheduler.plan([1], [Waiting(2, 10_000, 0.0)], []).prefill_budget


def run(scheduler: Scheduler, truth: Cost, steps: int) -> None:
    for n in range(steps):
        plan = scheduler.plan([1], [Waiting(2, 10_000, 0.0)] if n % 3 else [], [])
        load = Load(1, sum(tokens for _, tokens in plan.prefill))
        scheduler.note(load, truth.of(load))


def test_a_slow_burst_shrinks_the_budget_and_it_recovers():
    fast, slow = Cost(5, 0.5, 0.1, 0.1), Cost(5, 0.5, 1.0, 1.0)
    scheduler = Scheduler(prefill_tokens=2048, pace=StepPace(step_ms=50))
    run(scheduler, fast, 300)
    before = budget(scheduler)
    run(scheduler, slow, 300)
    during = budget(scheduler)
    run(scheduler, fast, 600)
    assert 350 < before < 550, "44.5 ms at 0.1 ms per token"
    assert 35 < during < 55
    assert 350 < budget(scheduler) < 550


@given(truth=costs, step_ms=st.floats(5, 100), seed=st.integers(0, 100))
def test_steps_settle_under_the_target_or_twice_what_decoding_alone_takes(truth, step_ms, seed):
    scheduler, dice = Scheduler(prefill_tokens=4096, pace=StepPace(step_ms)), random.Random(seed)
    for _ in range(600):
        waiting = [Waiting(2, dice.choice([40, 10_000]), 0.0)] if dice.random() < 0.7 else []
        rows = dice.randint(0, 3)
        plan = scheduler.plan(range(rows), waiting, [])
        load = Load(rows, sum(tokens for _, tokens in plan.prefill))
        scheduler.note(load, truth.of(load))
    plan = scheduler.plan([1], [Waiting(2, 10_000, 0.0)], [])
    alone, least = truth.of(Load(1)), truth.of(Load(1, LEAST))
    assert truth.of(Load(1, plan.prefill_budget)) <= max(1.25 * step_ms, 2.5 * alone, least) + 0.5


@given(
    sizes=st.lists(st.integers(1, 500), min_size=1, max_size=6),
    ms=st.floats(0, 10_000),
    rows=st.integers(0, 8),
)
def test_however_slow_the_engine_is_everybody_who_is_due_gets_on(sizes, ms, rows):
    scheduler = Scheduler(prefill_tokens=512, pace=StepPace(step_ms=1))
    for _ in range(20):
        scheduler.note(Load(1, 64, 64), ms)
    waiting = [Waiting(10 + n, size, n, camera=n) for n, size in enumerate(sizes)]
    plan = scheduler.plan(range(rows), waiting, waiting)
    assert plan.encode
    assert sum(tokens for _, tokens in plan.prefill) >= min(LEAST, sum(sizes))


def test_nobody_listening_steps_may_take_longer_but_never_without_end():
    scheduler = Scheduler(prefill_tokens=10_000, pace=StepPace(step_ms=10))
    for _ in range(200):
        scheduler.note(Load(0, 100), 10.0)
        scheduler.note(Load(1, 0), 0.5)
    wait = [Waiting(2, 100_000, 0.0)]
    alone = scheduler.plan([], wait, []).prefill_budget
    heard = scheduler.plan([1], wait, []).prefill_budget
    assert heard < alone < 10 * heard


def test_a_question_is_read_in_larger_parts_while_nobody_speaks():
    scheduler = Scheduler(prefill_tokens=10_000, pace=StepPace(step_ms=10))
    for _ in range(200):
        scheduler.note(Load(0, 100), 10.0)
        scheduler.note(Load(1, 0), 0.5)
    waiting = [Waiting(2, 300, 0.0, urgent=True), Waiting(3, 10_000, 0.0)]
    alone, beside = (dict(scheduler.plan(rows, waiting, []).prefill) for rows in ([], [1]))
    assert alone[2] == 300
    assert beside[2] < 100, "somebody else's words would wait for it"
    assert alone[3] <= beside[3] + beside[2], "segments get no more of it than before"


@pytest.mark.parametrize("step_ms", [0, -1, float("nan")])
def test_a_step_must_be_given_some_time(step_ms):
    with pytest.raises(ValueError, match="step_ms"):
        StepPace(step_ms)
