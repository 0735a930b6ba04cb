from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Busy, Overloaded
from engine.admission import MEANT, Admission
from engine.engine import Engine
from engine.limits import Limits
from engine.pace import Cost, StepPace
from engine.places import Places
from engine.requests import Ask, Begun, Ended
from engine.scheduler import Scheduler
from memory.policies.sink_window import SinkWindow
from pruning.none import Dense
from tests.engine.listeners import Heard, Result, open_camera, settle, show
from tests.tiny import ours, segment

COST = Cost(step=10.0, row=1.0, prefilled=0.1, encoded=0.2)


def admission(cost: Cost | None = COST, most: float = 0.95) -> Admission:
    return Admission(lambda: cost, 1000, 2000, math.inf, most)


def fed(accounts: Admission, camera: int = -1) -> Admission:
    """Segments of two frames that make 200 visual tokens, of which 50 are kept."""
    for _ in range(MEANT):
        accounts.note(camera, 2, 200, 50)
    return accounts


NEED = (100 * 0.2 + 25 * 0.1 + 10 * 0.05) / 1000  # seconds of the engine's time per frame


def test_a_camera_needs_what_its_frames_cost():
    accounts = admission()
    accounts.admit(1, 4.0)
    assert accounts.share(1) is None, "nothing was measured"
    fed(accounts, 1)
    assert accounts.share(1) == pytest.approx(4 * NEED)
    assert accounts.share(2) is None, "nobody knows it"


def test_one_that_does_not_fit_is_refused_with_what_it_would_need_and_what_would_help():
    accounts = fed(admission())
    accounts.admit(1, 20.0)
    accounts.admit(2, 17.0)
    with pytest.raises(Overloaded) as refused:
        accounts.admit(3, 10.0)
    said = str(refused.value)
    assert "85% busy with 2 cameras" in said
    assert "about 23% at 10 frames per second" in said
    possible = float(re.findall(r"at most ([\d.]+) frames", said)[0])
    accounts.admit(3, possible - 0.1)
    with pytest.raises(Overloaded):
        accounts.admit(4, 0.5)
    accounts.leave(1)
    accounts.leave(1)
    accounts.admit(4, 10.0)


def test_one_in_the_place_of_another_may_need_what_that_one_did_however_full_it_is():
    accounts = fed(admission())
    accounts.admit(1, 30.0, anyway=True)
    accounts.admit(2, 30.0, anyway=True)
    accounts.check(30.0, instead_of=1)
    with pytest.raises(Overloaded, match="with 1 camera"):
        accounts.check(31.0, instead_of=1)
    accounts.leave(2)
    accounts.check(40.0, instead_of=1)
    with pytest.raises(Overloaded, match="with 0 cameras") as refused:
        accounts.check(60.0, instead_of=1)
    assert "detach another" not in str(refused.value)


@pytest.mark.parametrize("cost", [None, COST])
def test_before_something_was_measured_nobody_is_refused(cost):
    accounts = admission(cost)
    for camera in range(100):
        accounts.admit(camera, 60.0)


@given(
    fps=st.lists(st.floats(0.1, 30), max_size=30),
    cost=st.builds(Cost, *[st.floats(0, 20)] * 2, *[st.floats(0, 0.5)] * 2),
    most=st.floats(0.1, 2),
)
def test_those_who_are_in_never_need_more_than_there_is(fps, cost, most):
    accounts = fed(admission(cost, most))
    for camera, rate in enumerate(fps):
        shares = [accounts.share(one) or 0.0 for one in range(camera)]
        try:
            accounts.admit(camera, rate)
        except Overloaded:
            accounts.admit(camera + 1000, 0.0)  # of nothing there is always enough
        else:
            assert sum(shares) + (accounts.share(camera) or 0.0) <= most + 1e-9


def test_where_steps_are_short_their_fixed_part_is_shared_by_less():
    accounts = fed(Admission(lambda: COST, 1000, 2000, 60.0, 0.95))
    accounts.admit(1, 4.0)
    work = 100 * 0.2 + 25 * 0.1
    assert accounts.share(1) == pytest.approx(4 * (work + 10 * work / 50) / 1000)


def test_a_camera_with_small_pictures_counts_for_what_it_makes_itself():
    accounts = admission()
    accounts.admit(1, 4.0)
    accounts.admit(2, 4.0)
    fed(accounts, 1)
    for _ in range(MEANT):
        accounts.note(2, 2, 20, 5)
    assert accounts.share(2) == pytest.approx(accounts.share(1) / 10)


LIMITS = Limits(
    cameras=4, answers=2, waiting=1, capacity=400, prompt_tokens=200, answer_tokens=64, load=0.9
)


def test_the_engine_refuses_a_camera_that_it_has_no_time_for_and_the_others_go_on():
    with Engine(ours(), LIMITS, Scheduler(pace=StepPace())) as engine:
        first, ready = open_camera(engine), Result()
        for number in range(2 * MEANT):
            show(engine, first, segment(number))
        second = engine.open_memory(Dense(), 8, SinkWindow(), ready, fps=0.001)
        ready.wait()
        share = engine.load(second)
        assert share is not None
        assert share > 0
        too_much = 0.001 * 2 / share
        with pytest.raises(Overloaded, match=r"with 1 camera, this one would need about 200%"):
            engine.open_memory(Dense(), 8, SinkWindow(), Result(), fps=too_much)
        assert show(engine, first, segment(99)).frames == 2
        assert engine.load(first) is None, "it said nothing of what is due"
        engine.close_memory(second)
        assert engine.load(second) is None
        settle(engine, [first, second])


def test_a_camera_whose_memory_could_not_be_made_needs_nothing():
    with Engine(ours(), LIMITS, Scheduler(pace=StepPace())) as engine:
        handles, results = [], []
        for _ in range(LIMITS.cameras + 20):
            results.append(Result())
            handles.append(engine.open_memory(Dense(), 8, SinkWindow(), results[-1], fps=0.001))
        show(engine, handles[0], segment(0))
        for number in range(2 * MEANT):
            show(engine, handles[0], segment(number + 1))
        told = zip(handles, (one.results[0] for one in results), strict=True)
        lost = [handle for handle, result in told if isinstance(result, Exception)]
        assert lost
        assert {engine.load(handle) for handle in lost} == {None}
        assert engine.load(handles[0]) is not None
        settle(engine, handles)


class Hours:
    """A clock that a test turns."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


BEGUN = Begun(1, 1, None, None, 0.0)


def test_who_finds_no_place_is_told_how_long_answers_take():
    clock = Hours()
    places = Places(answers=2, waiting=1, clock=clock)
    taken = [places.take(Heard()) for _ in range(3)]
    with pytest.raises(Busy, match="ask again shortly") as refused:
        places.take(Heard())
    assert refused.value.retry_after_s is None
    taken[0].begun(BEGUN)
    clock.now = 12.0
    taken[0].ended(Ended("stop", 3, 1.0))
    places.take(Heard())
    with pytest.raises(Busy, match="ask again in about 6 s") as refused:
        places.take(Heard())
    assert refused.value.retry_after_s == 6.0
    taken[1].ended(Ended("error", 0, 0.0))  # it never began: it says nothing of how long they take
    taken[2].give_back()
    for _ in range(2):
        places.take(Heard())
    with pytest.raises(Busy, match="about 6 s"):
        places.take(Heard())


def test_an_engine_that_has_answered_says_when_to_ask_again():
    with Engine(ours(), LIMITS) as engine:
        handle = open_camera(engine)
        show(engine, handle, segment(0))
        first = Heard()
        engine.ask(handle, Ask("what?", max_tokens=4), first)
        first.wait()
        heard: list[Heard] = []
        with pytest.raises(Busy, match=r"ask again in about \d+ s") as refused:
            for _ in range(20):
                heard.append(Heard())
                engine.ask(handle, Ask("what?", max_tokens=60), heard[-1])
        assert refused.value.retry_after_s >= 1
        for one in heard[:-1]:
            one.wait()
        settle(engine, [handle])
