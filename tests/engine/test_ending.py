"""Answers that end before they are said: cancelled, refused, detached, closed."""

from __future__ import annotations

import random
import threading
import time

import pytest

from core.errors import Busy, EngineDead
from engine.engine import Engine
from engine.requests import Ask
from tests.engine.conftest import LIMITS
from tests.engine.hooked import Hooked
from tests.engine.listeners import Heard, Result, ask, open_camera, settle, show
from tests.tiny import ours, segment


def test_cancelling_stops_within_one_token(engine):
    handle = open_camera(engine)
    show(engine, handle, segment(0))
    box: list = []
    heard = Heard(lambda h: engine.cancel(box[0]) if h.deltas == 2 else None)
    box.append(engine.ask(handle, Ask("what?", max_tokens=60), heard))
    ended = heard.wait()
    assert ended.finish_reason == "cancelled"
    assert heard.deltas == 2, "cancelled on the engine's thread, so not one more delta may come"
    engine.cancel(box[0])  # idempotent
    settle(engine, [handle])


def test_150_cancellations_at_random_points_leak_no_page(engine):
    handle = open_camera(engine)
    show(engine, handle, segment(0))
    randomness = random.Random(5)
    reasons = set()
    for number in range(150):
        heard = Heard()
        answer = engine.ask(handle, Ask("what do you see?", max_tokens=30), heard)
        if number % 5 == 0:
            engine.perceive(handle, segment(number + 1), Result())
        time.sleep(randomness.random() * 0.02)
        engine.cancel(answer)
        reasons.add(heard.wait().finish_reason)
        assert len(heard.ends) == 1
    assert "cancelled" in reasons
    settle(engine, [handle])


def test_a_cancel_that_comes_during_a_forward_lets_no_further_token_out():
    answers: list = []
    model = Hooked(ours(), lambda chunks: None)
    with Engine(model, LIMITS) as engine:
        handle = open_camera(engine)
        show(engine, handle, segment(0))
        heard = Heard()

        def cancel_in_the_third_forward(chunks) -> None:
            if answers and heard.deltas == 2:
                engine.cancel(answers[0])

        model.hook = cancel_in_the_third_forward
        answers.append(engine.ask(handle, Ask("what?", max_tokens=30), heard))
        assert heard.wait().finish_reason == "cancelled"
        assert heard.deltas == 2
        settle(engine, [handle])


def test_more_questions_than_places_wait_and_still_more_are_refused(engine):
    handle = open_camera(engine)
    show(engine, handle, segment(0))
    heard = []
    with pytest.raises(Busy, match="ask again"):
        for _ in range(20):
            heard.append(ask(engine, handle, tokens=50))
    assert len(heard) >= LIMITS.answers + LIMITS.waiting
    assert {h.wait().finish_reason for h in heard} <= {"length", "stop"}
    ask(engine, handle).wait()  # there is room again
    settle(engine, [handle])


def test_detaching_a_camera_ends_its_answers_and_nobody_elses(engine):
    handle, other = open_camera(engine), open_camera(engine)
    show(engine, handle, segment(0))
    show(engine, other, segment(0))
    started = threading.Event()
    heard = Heard(lambda _: started.set())
    engine.ask(handle, Ask("what?", max_tokens=64), heard)
    kept = ask(engine, other, tokens=64)
    assert started.wait(60)
    engine.close_memory(handle)
    ended = heard.wait()
    assert (ended.finish_reason, kept.wait().finish_reason) == ("error", "length")
    settle(engine, [handle, other])


def test_a_closed_engine_ends_everything_and_refuses_new_work():
    with Engine(ours(), LIMITS) as engine:
        handle = open_camera(engine)
        show(engine, handle, segment(0))
        heard = ask(engine, handle, tokens=64)
        engine.close()
        assert heard.wait().finish_reason in ("error", "length", "stop")
        with pytest.raises(EngineDead, match="closed"):
            ask(engine, handle)
        assert engine.pool.free == engine.pool.pages
        engine.close()
