"""The engine on a tiny random model: answers, cameras, cancelling, failing, closing."""

from __future__ import annotations

import random
import threading
import time

import numpy as np
import pytest
import torch

from core.errors import (
    Busy,
    CapacityExceeded,
    EngineDead,
    FrameError,
    GenerationFailed,
    QuestionTooLong,
)
from core.frames import Frame, Segment
from engine.engine import Engine
from engine.limits import Limits
from engine.perception import DRIFT
from engine.requests import Ask
from engine.runner import Row
from engine.scheduler import Scheduler
from memory.scratch import Scratch
from memory.table import SINK
from pruning.uniform import Uniform
from pruning.vcast import VCast
from tests.engine.hooked import Hooked, holds
from tests.engine.listeners import Heard, Result, open_camera, settle, show
from tests.models.harness import Stream
from tests.tiny import ours, segment

LIMITS = Limits(cameras=3, answers=3, waiting=3, capacity=400, prompt_tokens=200, answer_tokens=64)


@pytest.fixture
def engine():
    with Engine(ours(), LIMITS, Scheduler(prefill_tokens=24, encode_tokens=24)) as running:
        yield running
    assert not running._thread.is_alive()


def ask(engine, handle, text="what do you see?", tokens=12, **kwargs) -> Heard:
    heard = Heard()
    engine.ask(handle, Ask(text, max_tokens=tokens, **kwargs), heard)
    return heard


def test_an_answer_is_that_of_the_model_run_by_hand(engine):
    handle = open_camera(engine)
    segments = [segment(i) for i in range(4)]
    for one in segments:
        show(engine, handle, one)
    heard = ask(engine, handle)
    ended = heard.wait()
    stream = Stream(ours())
    stream.watch(segments)
    ids, _ = stream.ask("what do you see?", tokens=12)
    stop = next((i for i, t in enumerate(ids) if t in ours().stop_ids), None)
    assert heard.text == ours().detokenize(ids[:stop])
    assert ended.finish_reason == ("length" if stop is None else "stop")
    settle(engine, [handle])


def test_only_a_standing_question_may_be_answered_by_saying_nothing(engine, monkeypatch):
    handle = open_camera(engine)
    show(engine, handle, segment(0))
    stream = Stream(ours())
    stream.watch([segment(0)])
    ids, _ = stream.ask("what do you see?", tokens=2)
    assert ids[0] not in ours().stop_ids
    monkeypatch.setattr(ours(), "silence", ids[0])
    standing, once = ask(engine, handle, standing=True), ask(engine, handle)
    standing.wait(), once.wait()
    assert standing.text.startswith(ours().detokenize(ids[:1]))
    assert not once.text.startswith(ours().detokenize(ids[:1]))
    rare = ids[0] + 1
    word = ours().detokenize([rare])
    assert word.strip()
    monkeypatch.setattr(ours(), "silence", rare)
    assert said_first(engine, handle, standing=True) != word
    monkeypatch.setattr(ours(), "silence_bias", 1e6)
    assert said_first(engine, handle, standing=True) == word
    assert said_first(engine, handle) != word
    settle(engine, [handle])


def said_first(engine, handle, standing=False) -> str:
    heard = ask(engine, handle, standing=standing, tokens=1)
    heard.wait()
    return heard.text


def test_an_answer_given_while_segments_enter_memory_is_that_of_a_paused_run(engine):
    handle, other = open_camera(engine), open_camera(engine)
    for i in range(5):
        show(engine, handle, segment(i))
    paused = ask(engine, handle, tokens=40)
    paused.wait()
    watched = threading.Event()
    live = Heard(lambda heard: heard.deltas == 3 and watched.set())
    engine.ask(handle, Ask("what do you see?", max_tokens=40), live)
    assert watched.wait(60)
    entered = 0
    while not live.ends:  # the camera and its neighbour go on watching, evicting as they must
        show(engine, handle, segment(100 + entered))
        show(engine, other, segment(200 + entered))
        entered += 1
    assert entered >= 2, "nothing entered memory while the answer was given"
    assert live.text == paused.text
    after = ask(engine, handle, tokens=40)
    after.wait()
    assert after.text != paused.text, "what was seen meanwhile must matter to the next answer"
    settle(engine, [handle, other])


def test_memory_never_exceeds_its_capacity_and_bytes_never_grow(engine):
    handle = open_camera(engine)
    bytes_before = engine.pool.bytes
    evicted = 0
    for i in range(60):
        result = show(engine, handle, segment(i))
        assert result.held <= LIMITS.capacity
        evicted += result.evicted
    assert evicted > 0
    assert result.seen == result.held + evicted
    assert engine.pool.bytes == bytes_before
    settle(engine, [handle])


def test_the_beginning_follows_the_window_however_long_a_camera_is_watched(engine):
    handle = open_camera(engine)
    for i in range(3):
        show(engine, handle, segment(i))
    memory = handle.memory
    assert memory is not None
    floor = memory.extent().floor
    memory.next_position += 1_000_000  # as after hours; the engine's thread has nothing to do now
    for i in range(3, 40):
        show(engine, handle, segment(i))
        assert memory.drift() < DRIFT
    assert memory.extent().floor > floor + 900_000, "or nothing had to follow"
    fresh = Stream(ours())
    sink = memory.tokens.group == SINK
    chunk = ours().prefix(int(memory.tokens.positions[sink].min()))
    scratch = Scratch(fresh.pool, len(chunk))
    fresh.runner.forward([Row(chunk, None, scratch)])
    keys = fresh.pool.keys.flatten(1, 2)[:, scratch.view().slots]
    stored = engine.pool.keys.flatten(1, 2)[:, memory.view().slots[torch.from_numpy(sink)]]
    assert torch.allclose(stored, keys, atol=1e-5)
    assert memory.tokens.positions[sink][:, 0].tolist() == chunk.positions[0].tolist()
    ask(engine, handle).wait()
    settle(engine, [handle])


def test_several_answers_on_several_cameras_at_once_equal_each_alone(engine):
    handles = [open_camera(engine), open_camera(engine, Uniform(), budget=5)]
    for i in range(3):
        for n, handle in enumerate(handles):
            show(engine, handle, segment(10 * n + i))
    questions = [(handles[0], "what is it?"), (handles[1], "what is it?"), (handles[0], "who?")]
    alone = []
    for handle, text in questions:
        alone.append(ask(engine, handle, text))
        alone[-1].wait()
    together = [ask(engine, handle, text) for handle, text in questions]
    for one, other in zip(alone, together, strict=True):
        other.wait()
        assert other.text == one.text
    assert len({heard.text for heard in alone}) > 1
    settle(engine, handles)


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


def test_a_question_longer_than_its_place_ends_with_a_clear_error_and_nothing_else(engine):
    handle = open_camera(engine)
    show(engine, handle, segment(0))
    ended = ask(engine, handle, "why? " * 300).wait()
    assert ended.finish_reason == "error"
    assert isinstance(ended.error, QuestionTooLong)
    assert "200" in str(ended.error)
    assert ask(engine, handle).wait().finish_reason in ("length", "stop")
    settle(engine, [handle])


def test_a_picture_in_a_question_is_seen(engine):
    handle = open_camera(engine)
    show(engine, handle, segment(0))
    random_pictures = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3), dtype=np.uint8)
    texts = []
    for images in ((), (random_pictures[0],), (random_pictures[1],)):
        heard = ask(engine, handle, images=images)
        heard.wait()
        texts.append(heard.text)
        assert heard.begins[0].prompt_tokens > (9 if images else 0)
    assert len(set(texts)) == 3
    settle(engine, [handle])


def test_a_third_segment_of_a_camera_is_refused_however_busy_the_engine_is():
    going, go_on = threading.Event(), threading.Event()

    def hold(chunks) -> None:
        going.set()
        assert go_on.wait(60)

    model = Hooked(ours(), lambda chunks: None)
    with Engine(model, LIMITS) as engine:
        handle = open_camera(engine)
        model.hook = hold
        results = [Result(), Result()]
        engine.perceive(handle, segment(0), results[0])
        assert going.wait(60)  # the engine's thread now stands in a forward and takes no commands
        engine.perceive(handle, segment(1), results[1])
        with pytest.raises(Busy, match="on their way"):
            engine.perceive(handle, segment(2), Result())
        go_on.set()
        assert [result.wait().frames for result in results] == [2, 2]
        assert show(engine, handle, segment(2)).frames == 2
        settle(engine, [handle])


def test_one_camera_too_many_is_refused_and_the_others_go_on(engine):
    handles = [open_camera(engine) for _ in range(LIMITS.cameras)]
    extra = []
    with pytest.raises(CapacityExceeded, match="max_cameras"):
        for _ in range(20):
            extra.append(open_camera(engine))
    show(engine, handles[0], segment(0))
    settle(engine, handles + extra)


def test_a_segment_that_cannot_be_encoded_is_lost_alone(engine):
    handle, other = open_camera(engine), open_camera(engine)
    thin = np.zeros((1, 5000, 3), np.uint8)
    bad = Segment(0, (Frame(0.0, 0.0, thin),))
    with pytest.raises(FrameError, match="lost: aspect ratio of 5000x1"):
        show(engine, handle, bad)
    assert show(engine, handle, segment(1)).frames == 2
    assert show(engine, other, segment(1)).frames == 2
    settle(engine, [handle, other])


def test_a_picture_in_a_question_that_cannot_be_seen_is_refused_by_its_shape(engine):
    handle = open_camera(engine)
    show(engine, handle, segment(0))
    ended = ask(engine, handle, images=(np.zeros((1, 5000, 3), np.uint8),)).wait()
    assert isinstance(ended.error, GenerationFailed)
    assert "5000x1" in str(ended.error)
    settle(engine, [handle])


def test_lookahead_holds_one_step_back_and_a_flush_decides_it(engine):
    handle = open_camera(engine, VCast(lookahead=1), budget=4)
    assert show(engine, handle, segment(0)).frames == 0
    assert show(engine, handle, segment(1)).frames == 2
    assert show(engine, handle, None).frames == 2
    settle(engine, [handle])


def test_a_change_of_picture_size_goes_on_in_the_same_memory(engine):
    handle = open_camera(engine, VCast(lookahead=1), budget=4)
    show(engine, handle, segment(0))
    show(engine, handle, segment(1, size=(64, 64)))
    result = show(engine, handle, None)
    assert result.held == result.seen
    ask(engine, handle).wait()
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


def test_a_seed_gives_the_same_text_and_temperature_another():
    with Engine(ours(), LIMITS) as engine:
        handle = open_camera(engine)
        show(engine, handle, segment(0))
        texts = []
        for temperature, seed in ((0.0, 0), (3.0, 1), (3.0, 1), (3.0, 2)):
            heard = ask(engine, handle, temperature=temperature, seed=seed)
            heard.wait()
            texts.append(heard.text)
        assert texts[1] == texts[2]
        assert len({texts[0], texts[1], texts[3]}) == 3


def poison(chunks) -> None:
    if holds(ours(), chunks, "~"):
        raise RuntimeError("a kernel failed")


def test_a_row_that_fails_ends_alone_and_its_neighbours_answers_are_untouched():
    with Engine(Hooked(ours(), poison), LIMITS) as engine:
        handle = open_camera(engine)
        show(engine, handle, segment(0))
        alone = ask(engine, handle, tokens=20)
        alone.wait()
        together = [ask(engine, handle, tokens=20), ask(engine, handle, "~why?", tokens=20)]
        watched = show(engine, handle, segment(1))
        ended = [heard.wait() for heard in together]
        assert [one.finish_reason for one in ended] == [alone.ends[0].finish_reason, "error"]
        assert isinstance(ended[1].error, GenerationFailed)
        assert together[0].text == alone.text
        assert watched.frames == 2
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


@pytest.mark.parametrize("failure", [torch.OutOfMemoryError, torch.AcceleratorError])
def test_a_device_that_failed_ends_the_engine_and_tells_everybody(failure):
    def exhaust(chunks) -> None:
        if holds(ours(), chunks, "~"):
            raise failure("the device is gone")

    with Engine(Hooked(ours(), exhaust), LIMITS) as engine:
        handle = open_camera(engine)
        show(engine, handle, segment(0))
        ended = ask(engine, handle, "~").wait()
        assert ended.finish_reason == "error"
        assert isinstance(ended.error, EngineDead)
        with pytest.raises(EngineDead, match=failure.__name__):
            ask(engine, handle)
        assert not engine.alive
