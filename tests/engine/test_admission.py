from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Busy, Overloaded
from engine.admission import MEANT, Admission
from engine.demand import Room
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


def admission(*costs: Cost, most: float = 0.95, full_ms: float = math.inf) -> Admission:
    """That of an engine whose steps cost one of these."""
    return Admission(lambda: costs, Room(1000, 2000, full_ms), most)


def fed(accounts: Admission, camera: int = -1) -> Admission:
    """Segments of two frames that make 200 visual tokens, of which 50 are kept."""
    for _ in range(MEANT):
        accounts.note(camera, 2, 200, 50)
    return accounts


NEED = (100 * 0.2 + 25 * 0.1 + 10 * 0.05) / 1000  # seconds of the engine's time per frame


def test_a_camera_needs_what_its_frames_cost():
    accounts = admission(COST)
    accounts.admit(1, 4.0)
    assert accounts.share(1) is None, "nothing was measured"
    fed(accounts, 1)
    assert accounts.share(1) == pytest.approx(4 * NEED)
    assert accounts.share(2) is None, "nobody knows it"


def test_one_that_does_not_fit_is_refused_with_what_it_would_need_and_what_would_help():
    accounts = fed(admission(COST))
    accounts.admit(1, 20.0)
    accounts.admit(2, 17.0)
    with pytest.raises(Overloaded) as refused:
        accounts.admit(3, 10.0)
    said = str(refused.value)
    assert "85% busy with 2 cameras" in said
    assert "about 23% at 10 frames per second" in said
    possible = float(re.findall(r"at most ([\d.]+) frames", said)[0])
    accounts.admit(3, possible)
    with pytest.raises(Overloaded):
        accounts.admit(4, 0.5)
    accounts.leave(1)
    accounts.leave(1)
    accounts.admit(4, 10.0)


@given(fps=st.floats(0.2, 200), tokens=st.integers(1, 1000))
def test_whoever_asks_again_for_as_little_as_was_offered_comes_in(fps, tokens):
    accounts = admission(COST)
    for _ in range(MEANT):
        accounts.note(-1, 2, 200, tokens)
    for camera in range(1000):
        try:
            accounts.admit(camera, fps)
        except Overloaded as refused:
            offered = re.findall(r"at most ([\d.e+-]+) frames", str(refused))
            for possible in map(float, offered):
                assert 0.1 <= possible <= fps
                accounts.admit(1000, possible)
            return
    raise AssertionError("nobody was ever refused")


def test_one_in_the_place_of_another_may_need_what_that_one_did_however_full_it_is():
    accounts = fed(admission(COST))
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


@pytest.mark.parametrize("costs", [(), (COST,)])
def test_before_something_was_measured_nobody_is_refused(costs):
    accounts = admission(*costs)
    for camera in range(100):
        accounts.admit(camera, 60.0)


@given(
    fps=st.lists(st.floats(0.1, 30), max_size=30),
    cost=st.builds(Cost, *[st.floats(0, 20)] * 2, *[st.floats(0, 0.5)] * 2),
    most=st.floats(0.1, 2),
)
def test_those_who_are_in_never_need_more_than_there_is(fps, cost, most):
    accounts = fed(admission(cost, most=most))
    for camera, rate in enumerate(fps):
        shares = [accounts.share(one) or 0.0 for one in range(camera)]
        try:
            accounts.admit(camera, rate)
        except Overloaded:
            accounts.admit(camera + 1000, 0.0)  # of nothing there is always enough
        else:
            assert sum(shares) + (accounts.share(camera) or 0.0) <= most + 1e-9


def test_where_steps_are_short_their_fixed_part_is_shared_by_less():
    accounts = fed(admission(COST, full_ms=60.0))
    accounts.admit(1, 4.0)
    work = 100 * 0.2 + 25 * 0.1
    assert accounts.share(1) == pytest.approx(4 * (work + 10 * work / 50) / 1000)


def test_a_camera_with_small_pictures_counts_for_what_it_makes_itself():
    accounts = admission(COST)
    accounts.admit(1, 4.0)
    accounts.admit(2, 4.0)
    fed(accounts, 1)
    for _ in range(MEANT):
        accounts.note(2, 2, 20, 5)
    assert accounts.share(2) == pytest.approx(accounts.share(1) / 10)


def test_what_a_camera_made_long_ago_is_forgotten():
    accounts = admission(COST)
    accounts.admit(1, 4.0)
    for frames in [20] * 1000 + [2] * 100:
        accounts.note(1, frames, 200, 50)
    assert accounts.share(1) == pytest.approx(4 * NEED, rel=0.01)


def test_whoever_is_let_in_fits_whatever_of_a_step_is_fixed():
    """Of two accounts the dearer one counts, for what a camera needs and for who comes in."""
    dear = Cost(prefilled=0.2, encoded=0.4)
    accounts = fed(admission(COST, dear))
    accounts.admit(1, 10.0)
    assert accounts.share(1) == pytest.approx(10 * (100 * 0.4 + 25 * 0.2) / 1000)
    accounts.admit(2, 10.0)
    with pytest.raises(Overloaded, match="90% busy"):
        accounts.admit(3, 10.0)


def test_an_offline_camera_keeps_its_place_and_refusals_say_what_it_holds():
    accounts = fed(admission(COST))
    for camera in (1, 2, 3):
        accounts.admit(camera, 12.0)
    accounts.away(1, away=True)
    accounts.away(77, away=True)  # nobody knows it
    with pytest.raises(
        Overloaded, match=r"with 3 cameras \(one of them is offline and holds 28%\)"
    ):
        accounts.admit(4, 12.0)
    accounts.away(2, away=True)
    with pytest.raises(Overloaded, match=r"\(2 of them are offline and hold 55%\)"):
        accounts.admit(4, 12.0)
    accounts.away(1, away=False)
    accounts.away(2, away=False)
    with pytest.raises(Overloaded) as refused:
        accounts.admit(4, 12.0)
    assert "offline" not in str(refused.value), "all are back, and nobody has taken their place"
    accounts.away(3, away=True)
    accounts.leave(3)
    accounts.admit(4, 12.0)


def test_where_turns_would_come_too_rarely_for_a_fast_camera_it_is_refused_and_told_what_would_do():
    """Steps that take 100 ms whatever they hold: the engine is hardly busy, and yet too slow."""
    cost = Cost(step=100.0, encoded=0.001)
    costs = (Cost(), cost)  # in the other account all is free
    accounts = fed(Admission(lambda: costs, Room(1000, 2000, 200.0, 2, 4), 0.95))
    for camera in range(3):
        accounts.admit(camera, 4.0)
    with pytest.raises(Overloaded, match=r"every 0\.3\d* s.* raise segment\.max_steps") as refused:
        accounts.admit(4, 30.0)
    possible = float(re.findall(r"at most ([\d.]+) frames", str(refused.value))[0])
    assert possible == pytest.approx(4 / 0.3, abs=0.5)
    accounts.admit(4, possible)


def test_cameras_whose_frames_come_at_once_wait_for_each_other_no_longer_than_they_may():
    """At a frame every ten seconds they need hardly any time, but perhaps all at the same time."""
    cost = Cost(encoded=1.0)
    costs = (Cost(), cost)  # in the other account all is free
    accounts = fed(Admission(lambda: costs, Room(1000, 2000, 200.0), 0.95, patience_s=2.0))
    for camera in range(9):
        accounts.admit(camera, 0.1)
    with pytest.raises(Overloaded, match=r"2\.2 s to be remembered: detach.*target_lag_s \(2\)"):
        accounts.admit(9, 0.1)


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


def test_what_is_given_up_for_a_segment_is_not_taken_for_what_its_camera_needs():
    with Engine(ours(), LIMITS, Scheduler(pace=StepPace())) as engine:
        ready = Result()
        handle = engine.open_memory(Dense(), 64, SinkWindow(), ready, fps=0.001)
        ready.wait()
        for number in range(2 * MEANT):
            show(engine, handle, segment(number, size=(64, 64)))
        before = engine._admission._cameras[handle.number].appetite
        made = before.encoded, before.prefilled
        for number in range(MEANT):
            small = Result()
            engine.perceive(
                handle,
                segment(50 + number, size=(64, 64)),
                small,
                picture=(32, 32),
                in_full=False,
            )
            assert small.wait().encoded == 4, "it is seen at a quarter of its size"
        after = engine._admission._cameras[handle.number].appetite
        assert (after.encoded, after.prefilled) == made
        settle(engine, [handle])


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
