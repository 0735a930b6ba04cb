"""What admission promises, held against simulated engines of which the true costs are known."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from engine.pace import Cost, Load
from engine.prices import EVERY, Prices
from tests.engine.simulated import TARGET_S, Simulated, Truth

MADE = (36, 24)  # of a temporal step: visual tokens, and tokens that are kept, with their timestamp
MANY = 24  # cameras after which a test has seen enough


def truths(fixed_ms: float) -> st.SearchStrategy[Truth]:
    return st.builds(
        Truth,
        eye=st.floats(0, fixed_ms),
        model=st.floats(0, fixed_ms),
        encoded=st.floats(0.05, 2),
        prefilled=st.floats(0.05, 2),
        beside=st.floats(0, 4),
    )


rates = st.sampled_from([0.5, 1.0, 2.0, 4.0, 8.0])


# The same mixes each time, and the first that fails: to look for the simplest takes minutes.
SOME = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
)


def filled(truth: Truth, fps: float, seed: int, *, together: bool) -> tuple[Simulated, bool]:
    """An engine with as many cameras as it lets in, and whether it refused one."""
    engine = Simulated(truth, seed=seed, together=together)
    for _ in range(MANY):
        if not engine.attach(fps, MADE):
            return engine, True
        engine.run(max(8.0, 8 / fps))
    return engine, False


def carries(truth: Truth, fps: float, cameras: int, seed: int) -> bool:
    """Whether an engine remembers so many cameras in time, whenever their frames come."""
    engine = Simulated(truth, seed=seed, together=True)
    for _ in range(cameras):
        engine.attach(fps, MADE, anyway=True)
    engine.run(20.0)
    engine.forget()
    engine.run(max(20.0, 20 / fps))
    return all(c.lags and max(c.lags) <= TARGET_S and not c.lost for c in engine.cameras)


@given(truth=truths(40), fps=rates, seed=st.integers(0, 99), together=st.booleans())
@SOME
def test_whoever_is_let_in_never_lags_beyond_the_target_nor_makes_others_give_anything_up(
    truth, fps, seed, together
):
    engine, _ = filled(truth, fps, seed, together=together)
    engine.forget()
    engine.run(max(30.0, 30 / fps))
    if len(engine.cameras) > 1:  # the first comes in whatever it needs: nothing is measured yet
        assert max(lag for camera in engine.cameras for lag in camera.lags) <= TARGET_S
        assert not any(camera.lost for camera in engine.cameras)
        assert not any(camera.ladder.changes for camera in engine.cameras)


@given(truth=truths(15), fps=rates, seed=st.integers(0, 99), together=st.booleans())
@SOME
def test_who_is_refused_would_have_been_beyond_six_tenths_of_what_can_be_carried(
    truth, fps, seed, together
):
    """Half of it while there are hardly any: two or three rarely share a step, and so cannot show
    what sharing would save.
    """
    engine, refused = filled(truth, fps, seed, together=together)
    if refused:
        enough = 0.6 if len(engine.cameras) > 3 else 0.5
        too_many = math.ceil((len(engine.cameras) + 1) / enough)
        assert not carries(truth, fps, too_many, seed)


@pytest.mark.parametrize("cameras", [1, 2])
def test_while_all_steps_are_alike_both_ends_of_what_may_be_fixed_are_told(cameras):
    prices = Prices()
    for _ in range(50):
        prices.note(Load(encoded=36 * cameras), 20.0)
        prices.note(Load(prefilled=24 * cameras), 10.0)
    none, all_of_it = prices.costs
    assert none.step == 0
    assert none.encoded == pytest.approx(20 / 36 / cameras, rel=0.01)
    assert none.prefilled == pytest.approx(10 / 24 / cameras, rel=0.01)
    assert all_of_it.step == pytest.approx(30, rel=0.01)
    assert all_of_it.encoded == pytest.approx(0, abs=0.01)


loads = st.builds(
    Load, rows=st.integers(0, 4), prefilled=st.integers(0, 300), encoded=st.integers(0, 300)
)


@given(
    truth=st.builds(Truth, *[st.floats(0, 40)] * 2, *[st.floats(0.01, 2)] * 2, noise=st.just(0.0)),
    seen=st.lists(loads, min_size=60, max_size=90),
)
def test_what_steps_really_cost_lies_between_the_two_accounts(truth, seen):
    for tokens in ({load.prefilled for load in seen}, {load.encoded for load in seen}):
        assume(len(tokens) > 8)  # of what was hardly seen nothing is known
    prices, dice = Prices(), random.Random(0)
    for load in [*seen, *seen]:  # what came last may not be made up yet
        if ms := truth.timed(load, dice):
            prices.note(load, ms)
    if not prices.costs:
        return
    low, high = prices.costs
    assert 0 <= low.step <= high.step
    for cost in prices.costs:
        assert min(cost.step, cost.row, cost.prefilled, cost.encoded) >= 0
    full = Load(prefilled=1000, encoded=1000)
    assert high.of(full) <= low.of(full) * 1.001 + 0.1, "where less is fixed, tokens are dearer"
    assert truth.timed(full, dice) <= low.of(full) * 1.02 + 0.1


@given(beside=st.floats(0, 100))
def test_what_steps_take_beside_what_is_timed_is_part_of_what_they_cost(beside):
    prices = Prices()
    for _ in range(50):
        prices.note(Load(encoded=40), 10.0)
        prices.took(10.0 + beside)
    told = {cost.of(Load(encoded=40)) for cost in prices.costs}
    assert max(told) == pytest.approx(min(10 + beside, 40), rel=0.01)


@pytest.mark.parametrize("later", [Load(encoded=36), Load(rows=2), Load(rows=1, encoded=72)])
def test_what_is_done_for_the_first_time_after_long_is_neither_an_outlier_nor_all_that_counts(
    later,
):
    """Many beginnings are read before the first frame is seen, and questions come much later."""
    prices = Prices()
    for n in range(100):
        prices.note(Load(prefilled=20 + n % 30), 10.0)
    for _ in range(32):
        prices.note(later, 30.0)
    for cost in prices.costs:
        assert cost.of(later) == pytest.approx(30, rel=0.4)
        assert cost.step + 35 * cost.prefilled >= 9


def test_one_step_that_hung_does_not_make_all_others_dear():
    prices = Prices()
    for n in range(100):
        prices.note(Load(encoded=40 + n % 30), 10.0)
    before = [cost.of(Load(encoded=50)) for cost in prices.costs]
    prices.note(Load(encoded=50), 60_000.0)
    for n in range(EVERY):  # only now it is made up
        prices.note(Load(encoded=40 + n), 10.0)
    after = [cost.of(Load(encoded=50)) for cost in prices.costs]
    assert after == pytest.approx(before, rel=0.05)


def test_a_lasting_change_is_followed():
    prices = Prices()
    for ms in (10.0, 50.0):
        for n in range(1000):
            prices.note(Load(encoded=40 + n % 30), ms)
    assert [cost.of(Load(encoded=50)) for cost in prices.costs] == pytest.approx([50, 50], rel=0.2)
    assert Cost() not in prices.costs
