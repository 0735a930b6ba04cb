"""Answers that choose what they read: exact, by question, undisturbed, and nothing leaks."""

from __future__ import annotations

import dataclasses
import random
import threading
import time

import pytest
import torch

from core.errors import GenerationFailed
from engine.engine import Engine
from engine.limits import Limits
from engine.refusing import check
from engine.requests import Ask
from engine.scheduler import Scheduler
from engine.selecting import Selecting, words
from engine.speaking import DEFAULT
from memory.policies.sink_window import SinkWindow
from pruning.online import OnlinePruner
from pruning.selectors.closest import Closest
from pruning.selectors.even import Even
from pruning.selectors.fastv import FastV
from pruning.selectors.registry import selectors
from pruning.vcast import VCast
from tests.engine.hooked import Hooked
from tests.engine.listeners import Heard, Result, open_camera, settle, show
from tests.models.harness import Stream
from tests.tiny import ours, segment

LIMITS = Limits(
    cameras=2, answers=3, waiting=3, capacity=200, prompt_tokens=200, answer_tokens=64,
    selector_budget=400, bank_steps=40,
)  # fmt: skip
ALL = Selecting(Closest(), budget=400, bank_steps=40)
SCHEDULER = Scheduler(prefill_tokens=24, encode_tokens=24)
QUESTION = "what do you see?"


class Recorder(Hooked):
    """Keeps the logits and the positions of every forward."""

    def __init__(self) -> None:
        super().__init__(ours(), lambda chunks: None)
        self.forget()

    def forget(self) -> None:
        self.logits: list[torch.Tensor] = []
        self.positions: list[torch.Tensor] = []

    def forward(self, chunks, plan):
        logits = super().forward(chunks, plan)
        self.logits += [row.clone() for row in logits]
        self.positions += [chunk.positions.clone() for chunk in chunks]
        return logits


class Planted(Hooked):
    """Sees a word where one segment is."""

    def __init__(self, where: int, text: str) -> None:
        super().__init__(ours(), lambda chunks: None)
        self.where, self.word = where, words(ours(), text).mean(dim=0)

    def encode(self, segments, **asked):
        seen = super().encode(segments, **asked)
        for number, one in enumerate(segments):
            if one.index == self.where:
                features = seen[number].features.clone()
                features[5] = self.word
                seen[number] = dataclasses.replace(seen[number], features=features)
        return seen


@pytest.fixture
def engine():
    with Engine(ours(), LIMITS, SCHEDULER) as running:
        yield running


def ask(engine, handle, text=QUESTION, tokens=12, **kwargs) -> Heard:
    heard = Heard()
    engine.ask(handle, Ask(text, max_tokens=tokens, **kwargs), heard)
    return heard


@pytest.mark.parametrize("policy", [None, VCast()], ids=["dense", "pruned"])
def test_reading_the_whole_bank_is_reading_a_memory_of_the_same_steps(policy):
    model = Recorder()
    segments = [segment(i, steps=1 + i % 2) for i in range(4)]
    with Engine(model, LIMITS, SCHEDULER) as engine:
        handle = open_camera(engine, policy, budget=5, selecting=ALL)
        for one in segments:
            show(engine, handle, one)
        model.forget()
        heard = ask(engine, handle)
        ended = heard.wait()
        settle(engine, [handle])
    stream = Stream(ours())
    pruner = OnlinePruner(policy, 5) if policy is not None else None
    for one in segments:
        seen = ours().encode([one])[0]
        stream.remember([seen] if pruner is None else pruner.push(seen))
    sampled = ended.tokens + (ended.finish_reason == "stop")
    ids, logits = stream.ask(QUESTION, tokens=sampled)
    torch.testing.assert_close(torch.stack(model.logits[-sampled:]), logits, atol=1e-4, rtol=0)
    assert heard.text == ours().detokenize(ids[: ended.tokens])
    begun = heard.begins[0]
    assert begun.memory_tokens == stream.memory.held
    extent = stream.memory.extent()
    assert (begun.t_start, begun.t_end) == (extent.t_start, extent.t_end)
    fewer = Stream(ours())
    fewer.watch(segments[1:])
    assert not torch.allclose(fewer.ask(QUESTION, tokens=1)[1], logits[:1], atol=1e-2)


def test_a_step_that_memory_has_lost_is_found_by_the_question_that_is_about_it():
    read = {}
    with Engine(Planted(2, "dog"), LIMITS, SCHEDULER) as engine:
        for selector in (Closest(), Even()):
            selecting = Selecting(selector, budget=1, bank_steps=40)
            handle = open_camera(engine, selecting=selecting)
            for i in range(16):
                entered = show(engine, handle, segment(i))
            assert handle.memory is not None
            oldest = handle.memory.extent().t_start
            assert oldest is not None
            assert entered.held < entered.seen
            for text in ("dog", "seconds"):
                heard = ask(engine, handle, text)
                heard.wait()
                read[selector.method, text] = heard.begins[0]
                assert heard.begins[0].t_start == heard.begins[0].t_end
            settle(engine, [handle])
    planted = ours().encode([segment(2)])[0].times[0]
    assert planted < oldest, "or memory would have it too"
    assert read["closest", "dog"].t_start == planted
    assert read["closest", "seconds"].t_start != planted
    assert read["even", "dog"].t_start == read["even", "seconds"].t_start != planted
    chosen = ours().lay_steps(ours().encode([segment(2)])[0].select(torch.tensor([5])), 0)
    assert read["closest", "dog"].memory_tokens == len(ours().prefix()) + len(chosen)


def test_an_answer_reads_what_was_there_when_it_began_whatever_comes_meanwhile(engine):
    few = Selecting(Closest(), budget=30, bank_steps=4)
    handle, other = open_camera(engine, selecting=few), open_camera(engine)
    for i in range(12):
        show(engine, handle, segment(i))
    paused = ask(engine, handle, tokens=60)
    paused.wait()
    watched = threading.Event()
    live = Heard(lambda heard: heard.deltas == 1 and watched.set())
    engine.ask(handle, Ask(QUESTION, max_tokens=60), live)
    assert watched.wait(60)
    entered = 0
    while not live.ends:  # memory evicts, the bank lets go, a neighbour watches and is asked
        show(engine, handle, segment(100 + entered))
        show(engine, other, segment(200 + entered))
        entered += 1
    ask(engine, other).wait()
    assert entered >= 4, "the bank must have been renewed while the answer was given"
    assert live.text == paused.text
    assert live.begins[0].t_start == paused.begins[0].t_start
    after = ask(engine, handle, tokens=60)
    after.wait()
    assert after.text != paused.text
    assert handle.bank is not None
    assert len(handle.bank.steps) == 4
    settle(engine, [handle, other])
    assert handle.bank is None


def test_positions_stay_close_to_the_beginning_however_long_a_camera_is_watched():
    model = Recorder()
    with Engine(model, LIMITS, SCHEDULER) as engine:
        handle = open_camera(engine, selecting=Selecting(Even(), budget=12, bank_steps=8))
        for i in range(3):
            show(engine, handle, segment(i))
        assert handle.memory is not None
        handle.memory.next_position += 1_000_000  # as after hours; the engine has nothing to do now
        for i in range(3, 6):
            show(engine, handle, segment(i))
        sink = handle.memory.oldest_position() - handle.memory.drift() - 1  # its last position
        model.forget()
        ask(engine, handle, tokens=4).wait()
        laid = torch.cat(model.positions, dim=1)
        assert int(laid.min()) == sink + 1
        assert int(laid.max()) < sink + 400
        settle(engine, [handle])


def test_a_picture_of_another_size_begins_the_bank_anew(engine):
    handle = open_camera(engine, selecting=ALL)
    for i in range(3):
        show(engine, handle, segment(i))
    show(engine, handle, segment(3, size=(64, 64)))
    heard = ask(engine, handle)
    heard.wait()
    newest = ours().encode([segment(3, size=(64, 64))])[0]
    assert heard.begins[0].t_start == heard.begins[0].t_end == newest.times[0]
    assert heard.begins[0].memory_tokens == len(ours().prefix()) + len(ours().lay_steps(newest, 0))
    settle(engine, [handle])


def test_before_the_first_step_only_the_beginning_is_read(engine):
    handle = open_camera(engine, selecting=ALL)
    heard = ask(engine, handle)
    assert heard.wait().finish_reason in ("length", "stop")
    assert heard.begins[0].memory_tokens == len(ours().prefix())
    assert heard.begins[0].t_start is heard.begins[0].t_end is None
    settle(engine, [handle])


def test_as_many_answers_as_are_promised_find_room_at_their_worst(engine):
    handles = [open_camera(engine, selecting=ALL), open_camera(engine, selecting=ALL)]
    for i in range(34):  # 12 visual tokens each: more than the budget
        for handle in handles:
            show(engine, handle, segment(i))
    heard = [ask(engine, handles[i % 2], f"{i}?", tokens=64) for i in range(LIMITS.answers)]
    for i in range(3):
        show(engine, handles[0], segment(40 + i))
    assert {one.wait().finish_reason for one in heard} <= {"length", "stop"}
    settle(engine, handles)


def test_cancelling_anywhere_leaks_no_page(engine):
    handle = open_camera(engine, selecting=Selecting(Closest(), budget=30, bank_steps=6))
    show(engine, handle, segment(0))
    randomness = random.Random(5)
    reasons, entering = set(), Result()
    engine.perceive(handle, segment(1), entering)
    for number in range(60):
        heard = Heard()
        answer = engine.ask(handle, Ask(QUESTION, max_tokens=30), heard)
        if number % 4 == 0:  # the one before has long been seen, unless the machine is slow
            entering.wait()
            entering = Result()
            engine.perceive(handle, segment(number + 2), entering)
        time.sleep(randomness.random() * 0.02)
        engine.cancel(answer)
        reasons.add(heard.wait().finish_reason)
        assert len(heard.ends) == 1
    assert "cancelled" in reasons
    settle(engine, [handle])


def test_a_question_without_words_ends_with_an_error_and_nothing_else(engine):
    handle = open_camera(engine, selecting=ALL)
    show(engine, handle, segment(0))
    ended = ask(engine, handle, "  ").wait()
    assert isinstance(ended.error, GenerationFailed)
    assert "without words" in str(ended.error)
    assert ask(engine, handle).wait().finish_reason in ("length", "stop")
    settle(engine, [handle])


WIDTH = ours().prefix().embeds.shape[1]


@pytest.mark.parametrize(
    "selector",
    [one for one in selectors(WIDTH) if not one.needs_attention],
    ids=lambda one: one.method,
)
def test_every_selector_that_needs_no_attention_reads_within_its_budget(engine, selector):
    handle = open_camera(engine, selecting=Selecting(selector, budget=7, bank_steps=6))
    for i in range(4):
        show(engine, handle, segment(i, steps=2))
    heard = ask(engine, handle, tokens=3)
    assert heard.wait().finish_reason in ("length", "stop")
    read = heard.begins[0].memory_tokens - len(ours().prefix())
    assert 0 < read <= 7 + 6 * ours().marker_tokens
    settle(engine, [handle])


def test_what_cannot_be_kept_is_refused_before_anything_runs(engine):
    with pytest.raises(ValueError, match=r"fastv reads the attention .* whole bank"):
        Selecting(FastV(), budget=8, bank_steps=8)
    with pytest.raises(ValueError, match="0 tokens"):
        Selecting(Closest(), budget=0, bank_steps=8)
    for one in (Selecting(Even(), 401, 8), Selecting(Even(), 8, 41)):
        with pytest.raises(ValueError, match="room for 400 of 40"):
            open_camera(engine, selecting=one)
    noting = dataclasses.replace(LIMITS, noting=8)
    with pytest.raises(ValueError, match="no notes either"):
        check(noting, DEFAULT, SinkWindow(), Selecting(Even(), 8, 8), None)
