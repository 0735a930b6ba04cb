"""Watching beside speaking: what the eye has not seen yet holds up nobody who speaks."""

from __future__ import annotations

import threading

import pytest
import torch

from core.errors import CameraError
from core.tokens import VisualTokens
from engine.engine import Engine
from engine.lanes import InLine, Lane, Look, Seeing, lane_for, tensors_of
from engine.limits import Limits
from engine.requests import Ask
from tests.engine.listeners import DEADLINE, Heard, Result, open_camera, settle, show
from tests.tiny import ours, segment

LIMITS = Limits(cameras=2, answers=2, waiting=2, capacity=400, prompt_tokens=200, answer_tokens=64)


class Shut(Lane):
    """Like a stream of its own: what it looks at is there when a test says so."""

    beside = True

    def __init__(self) -> None:
        self.open = threading.Event()
        self.looked = threading.Event()
        self.taken = threading.Event()

    def run(self, look: Look) -> list[Seeing]:
        seen = [_Behind(tokens, self) for tokens in look()]
        self.looked.set()
        return seen


class _Behind(Seeing):
    def __init__(self, tokens: VisualTokens, lane: Shut) -> None:
        self._tokens, self._lane = tokens, lane

    @property
    def ready(self) -> bool:
        return self._lane.open.is_set()

    def take(self) -> VisualTokens:
        self._lane.taken.set()
        return self._tokens


def watched_while_speaking(lane: Lane | None) -> tuple[str, int]:
    """An answer of 40 words; while it is given a segment comes in. Its text, and what is held."""
    with Engine(ours(), LIMITS, lane=lane) as engine:
        handle = open_camera(engine)
        if isinstance(lane, Shut):
            lane.open.set()
        show(engine, handle, segment(0))
        entered = Result()
        lane_ready = threading.Event()

        def on_delta(heard: Heard) -> None:
            if heard.deltas == 1:
                if isinstance(lane, Shut):
                    lane.open.clear(), lane.looked.clear(), lane.taken.clear()
                engine.perceive(handle, segment(1), entered)
                lane_ready.set()

        heard = Heard(on_delta)
        engine.ask(handle, Ask("what do you see?", max_tokens=40), heard)
        assert lane_ready.wait(DEADLINE)
        heard.wait()
        if isinstance(lane, Shut):
            assert lane.looked.wait(DEADLINE)
        return heard.text, entered.wait().held


def test_whoever_speaks_goes_on_while_the_eye_is_shut_and_what_it_saw_enters_later() -> None:
    lane = Shut()
    wanted = watched_while_speaking(None)
    text, held = watched_while_speaking(lane)
    assert (text, held) == wanted
    assert not lane.open.is_set(), "nobody opened it: it was waited for once nobody spoke"
    assert lane.taken.is_set()


def test_what_the_eye_sees_is_the_same_in_either_lane() -> None:
    with Engine(ours(), LIMITS, lane=Shut()) as engine:  # nobody speaks: it is waited for
        handle = open_camera(engine)
        held = [show(engine, handle, segment(n)).held for n in range(3)]
    with Engine(ours(), LIMITS) as engine:
        handle = open_camera(engine)
        assert held == [show(engine, handle, segment(n)).held for n in range(3)]


def test_a_segment_that_is_still_being_seen_is_let_go_with_its_camera() -> None:
    lane = Shut()
    with Engine(ours(), LIMITS, lane=lane) as engine:
        leaving, staying = open_camera(engine), open_camera(engine)
        show(engine, staying, segment(5))
        lane.looked.clear()
        lost = Result()

        def leave(heard: Heard) -> None:
            if heard.deltas == 1:
                engine.perceive(leaving, segment(0), lost)
            elif lane.looked.is_set():
                engine.close_memory(leaving)

        heard = Heard(leave)
        engine.ask(staying, Ask("what do you see?", max_tokens=40), heard)
        with pytest.raises(CameraError, match="detached"):
            lost.wait()
        heard.wait()
        settle(engine, [leaving, staying])


def test_every_tensor_on_the_device_is_handed_over() -> None:
    seen = ours().encode([segment(0)], attention=True, pixels=True)[0]
    assert len(tensors_of(seen)) == 3 + len(seen.deepstack)
    assert isinstance(lane_for(torch.device("cpu")), InLine)
