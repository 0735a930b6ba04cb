"""What the engine says, on a tiny random model: as by hand, as alone, as paused."""

from __future__ import annotations

import threading

import numpy as np

from core.errors import GenerationFailed, QuestionTooLong
from engine.engine import Engine
from engine.requests import Ask
from pruning.uniform import Uniform
from tests.engine.conftest import LIMITS
from tests.engine.listeners import Heard, ask, open_camera, settle, show
from tests.models.harness import Stream
from tests.tiny import ours, segment


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


def test_a_picture_in_a_question_that_cannot_be_seen_is_refused_by_its_shape(engine):
    handle = open_camera(engine)
    show(engine, handle, segment(0))
    ended = ask(engine, handle, images=(np.zeros((1, 5000, 3), np.uint8),)).wait()
    assert isinstance(ended.error, GenerationFailed)
    assert "5000x1" in str(ended.error)
    settle(engine, [handle])


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
