"""Listeners that raise harm nobody but themselves, and are told once all the same."""

from __future__ import annotations

import threading

import pytest

from core.errors import LookoutError
from engine.detokenizer import Detokenizer
from engine.engine import Engine
from engine.jobs import AnswerHandle, MemoryHandle
from engine.requests import Ask, Begun, Ended, Perceived
from engine.runner import Runner
from engine.speech import Speech
from memory.policies.sink_window import SinkWindow
from memory.pool import PagePool
from memory.readers.torch_reader import TorchReader
from pruning.none import Dense
from pruning.online import OnlinePruner
from tests.engine.conftest import LIMITS
from tests.engine.listeners import DEADLINE, Heard, ask, open_camera, settle, show
from tests.tiny import ours, segment


class Raising(Heard):
    """Raises at every call of one kind."""

    def __init__(self, at: str) -> None:
        super().__init__()
        self._at = at

    def _raise(self, now: str) -> None:
        if now == self._at:
            raise RuntimeError("boom")

    def begun(self, begun: Begun) -> None:
        super().begun(begun)
        self._raise("begun")

    def delta(self, text: str) -> None:
        super().delta(text)
        self._raise("delta")

    def ended(self, ended: Ended) -> None:
        super().ended(ended)
        self._raise("ended")


class Told:
    """A perceive or save listener that raises whenever it is told."""

    def __init__(self) -> None:
        self.times = 0
        self._told = threading.Event()

    def __call__(self, result: object) -> None:
        self.times += 1
        self._told.set()
        raise RuntimeError("boom")

    def wait(self) -> None:
        assert self._told.wait(DEADLINE)


@pytest.mark.parametrize("at", ["begun", "delta", "ended"])
def test_answers_whose_listener_raises_end_once_and_take_no_place_with_them(engine, at):
    handle = open_camera(engine)
    show(engine, handle, segment(0))
    alone = ask(engine, handle)
    alone.wait()
    for _ in range(2 * (LIMITS.answers + LIMITS.waiting)):  # more than there are places
        heard = Raising(at)
        engine.ask(handle, Ask("what?", max_tokens=3), heard)
        ended = heard.wait()
        assert (ended.error is None) == (at == "ended")
        assert len(heard.ends) == 1
    again = ask(engine, handle)
    again.wait()
    assert again.text == alone.text
    settle(engine, [handle])


@pytest.mark.parametrize("how", ["cancelled", "detached", "closed"])
def test_an_end_from_outside_reaches_all_though_one_of_them_raises(engine, how):
    handle = open_camera(engine)
    show(engine, handle, segment(0))
    heard: list[Heard] = [Raising("ended"), Heard()]
    answers = [engine.ask(handle, Ask("what?", max_tokens=64), one) for one in heard]
    if how == "cancelled":
        for answer in answers:
            engine.cancel(answer)
    elif how == "detached":
        engine.close_memory(handle)
    else:
        engine.close()
        assert engine.pool.free == engine.pool.pages
    for one in heard:
        one.wait()
        assert len(one.ends) == 1
    if how != "closed":
        assert engine.alive
        settle(engine, [handle] if how == "cancelled" else [])


def test_a_segment_whose_listener_raises_is_in_memory_and_told_of_once(engine):
    handle = open_camera(engine)
    for number in range(6):  # more than may be on their way at once
        told = Told()
        engine.perceive(handle, segment(number), told)
        told.wait()
        result = show(engine, handle, segment(100 + number))
        assert isinstance(result, Perceived)
        assert told.times == 1
    assert handle.memory is not None
    assert handle.memory.seen == result.seen
    assert len(set(handle.memory.tokens.group)) == 12 + 1  # with the fixed beginning
    settle(engine, [handle])


def test_a_camera_whose_listener_raises_when_it_is_ready_can_be_watched(engine):
    told = Told()
    handle = engine.open_memory(Dense(), 8, SinkWindow(), told)
    told.wait()
    assert show(engine, handle, segment(0)).frames == 2
    assert told.times == 1
    settle(engine, [handle])


def test_whoever_saves_is_told_once_though_it_raises(engine):
    handle = open_camera(engine)
    show(engine, handle, segment(0))
    told = Told()
    engine.save(handle, told)
    told.wait()
    assert show(engine, handle, segment(1)).frames == 2
    assert told.times == 1
    settle(engine, [handle])


def test_the_end_is_told_though_the_last_words_cannot_be():
    model = ours()
    speech = Speech(Runner(model, PagePool(model.shape, 4, 16), TorchReader()), 50)
    heard = Raising("delta")
    answer = AnswerHandle(MemoryHandle(OnlinePruner(Dense(), 8)), Ask("what?"), heard)
    answer.text = Detokenizer(model.detokenize)
    half = model.question_ids("é", (), "")[0]  # the first of its two bytes
    assert answer.text.push(half) == ""
    with pytest.raises(RuntimeError, match="boom"):
        speech.end(answer, "cancelled")
    assert len(heard.ends) == 1


def test_an_engine_that_dies_tells_all_though_the_first_raises():
    with Engine(ours(), LIMITS) as engine:
        handle = open_camera(engine)
        told, heard = Told(), Heard()
        go_on = threading.Event()

        def die() -> None:
            assert go_on.wait(DEADLINE)
            raise SystemExit  # nothing that a job could raise

        engine._submit(die)
        engine.perceive(handle, segment(0), told)
        engine.ask(handle, Ask("what?"), heard)
        go_on.set()
        told.wait()
        assert isinstance(heard.wait().error, LookoutError)
        assert told.times == 1
        engine.close()
        assert engine.pool.free == engine.pool.pages
