"""The whole engine on a card that is played: nothing mixes with the host, and little waits for it.

What a played card cannot show: whether kernels, streams, graphs and pinned memory do what they
promise (the tests that need a GPU do), and how long anything takes.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.decoding import DecodeForward, Recorder, Work
from engine.engine import Engine
from engine.limits import Limits
from engine.positions.registry import SCHEMES
from engine.recalling import Recalling
from engine.requests import Ask
from engine.selecting import Selecting, check
from engine.speaking import Speaking
from engine.visibility import RULES
from memory.codecs.block import Block
from memory.codecs.plain import Plain
from memory.policies.registry import POLICIES
from memory.policies.sink_window import SinkWindow
from memory.pool import PagePool
from memory.recall.gate import Always
from models.qwen3_vl import Qwen3VL
from pruning.none import Dense
from pruning.registry import policies
from pruning.selectors.registry import selectors
from pruning.vcast import VCast
from tests.card import CARD, PlayedCard, on_card, put_on_card
from tests.engine.listeners import Heard, Result, open_camera, settle, show
from tests.engine.played import model_on_card, on_the_card
from tests.engine.taking import LIMITS as WITH_NOTES
from tests.engine.taking import NOTING, Notes, camera
from tests.engine.test_saving import keep
from tests.fakes.gathering import GatheringReader
from tests.tiny import ours, segment

LIMITS = Limits(cameras=3, answers=2, waiting=2, capacity=90, prompt_tokens=200, answer_tokens=24)
PER_SEGMENT = 3  # waits: are tokens finite, what do they spend, which are kept
PER_SIZE = 4  # of pictures: where their patches stand, once
QUESTION = "what do you see?"


@pytest.fixture(scope="module")
def model() -> Qwen3VL:
    return model_on_card()


def watched(engine: Engine, card: PlayedCard, segments: int = 9, **camera: object):
    """A camera that has seen so many segments; only what comes now is counted."""
    handle = open_camera(engine, **camera)
    card.forget()
    for number in range(segments):
        show(engine, handle, segment(number))
    return handle


def asked(engine: Engine, handle, text: str = QUESTION, **ask: object) -> Heard:
    heard = Heard()
    engine.ask(handle, Ask(text, max_tokens=12, **ask), heard)
    assert heard.wait().error is None
    return heard


def test_the_default_says_what_the_host_says_and_waits_three_times_a_segment(model):
    texts = []
    with Engine(ours(), LIMITS) as engine:
        handle = open_camera(engine, policy=VCast(), budget=4)
        for number in range(9):
            show(engine, handle, segment(number))
        texts.append(asked(engine, handle).text)
        settle(engine, [handle])
    with on_the_card(model, LIMITS) as (engine, card):
        handle = watched(engine, card, policy=VCast(), budget=4)
        assert card.launches > 500
        assert not card.refused
        assert sum(card.waits.values()) <= 9 * PER_SEGMENT + PER_SIZE, card.waits
        card.forget()
        heard = asked(engine, handle)
        texts.append(heard.text)
        assert not card.refused
        assert sum(card.waits.values()) <= heard.ends[0].tokens, card.waits
        settle(engine, [handle])
    assert texts[0] == texts[1]


@pytest.mark.parametrize("kind", POLICIES, ids=lambda kind: kind.__name__)
def test_every_memory_policy_runs_on_a_card(model, kind):
    with on_the_card(model, LIMITS) as (engine, card):
        handle = watched(engine, card, memory=kind())
        asked(engine, handle)
        assert card.launches and not card.refused
        settle(engine, [handle])


def test_every_pruning_method_runs_on_a_card(model):
    with on_the_card(model, LIMITS) as (engine, card):
        for policy in policies():
            handle = watched(engine, card, 5, policy=policy, budget=4)
            assert card.launches, policy
            assert not card.refused, (policy, card.refused)
            settle(engine, [handle])


@pytest.mark.parametrize("codec", [Plain(), Block()], ids=lambda codec: codec.method)
@pytest.mark.parametrize("host_bytes", [0, 10**6])
def test_an_archive_is_frozen_sought_and_thawed_on_a_card(model, codec, host_bytes):
    limits = Limits(cameras=2, answers=2, waiting=2, capacity=90, prompt_tokens=200,
                    answer_tokens=24, recall_budget=60)  # fmt: skip
    recalling = Recalling(codec, Always(), 10**5, 60, host_bytes)
    with on_the_card(model, limits) as (engine, card):
        ready = Result()
        handle = engine.open_memory(Dense(), 8, SinkWindow(), ready, recalling=recalling)
        ready.wait()
        for number in range(14):
            show(engine, handle, segment(number))
        assert asked(engine, handle).begins[0].recalled
        assert not card.refused, card.refused
        settle(engine, [handle])


def test_every_selector_chooses_on_a_card(model):
    limits = Limits(cameras=2, answers=2, waiting=2, capacity=200, prompt_tokens=200,
                    answer_tokens=24, selector_budget=60, bank_steps=12)  # fmt: skip
    width = model.prefix().embeds.shape[1]
    with on_the_card(model, limits) as (engine, card):
        tried = 0
        for selector in selectors(width):
            try:
                check(selector)
            except ValueError:
                continue  # those that live answers refuse
            _put_weights_on_card(selector)
            ready = Result()
            handle = engine.open_memory(
                Dense(), 8, SinkWindow(), ready, Selecting(selector, 30, 12)
            )
            ready.wait()
            for number in range(5):
                show(engine, handle, segment(number))
            asked(engine, handle)
            assert not card.refused, (selector, card.refused)
            settle(engine, [handle])
            tried += 1
        assert tried > 3


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.__name__)
def test_every_way_of_speaking_runs_on_a_card(model, rule, scheme):
    speaking = Speaking(rule(), scheme())
    with on_the_card(model, LIMITS, speaking=speaking) as (engine, card):
        handle = watched(engine, card, 4)
        heard = Heard()
        engine.ask(handle, Ask(QUESTION, max_tokens=12), heard)
        show(engine, handle, segment(4))
        heard.wait()
        assert not card.refused, card.refused
        settle(engine, [handle])


def test_pictures_history_and_chance_run_on_a_card(model):
    picture = np.zeros((64, 64, 3), np.uint8)
    with on_the_card(model, LIMITS) as (engine, card):
        handle = watched(engine, card, 2)
        asked(
            engine, handle, images=(picture,), history=(("user", "hi"), ("assistant", "ho")),
            temperature=0.7, seed=3,
        )  # fmt: skip
        assert not card.refused, card.refused
        settle(engine, [handle])


def test_notes_are_written_on_a_card(model):
    with on_the_card(model, WITH_NOTES, noting=NOTING) as (engine, card):
        notes = Notes()
        handle = camera(engine, notes)
        card.forget()
        for number in range(6):
            show(engine, handle, segment(number))
        notes.wait(1)
        asked(engine, handle)
        assert card.launches and not card.refused, card.refused
        settle(engine, [handle])


def test_a_memory_leaves_a_card_and_comes_back(model):
    with on_the_card(model, LIMITS) as (engine, card):
        handle = watched(engine, card, 6)
        said = asked(engine, handle).text
        state = keep(engine, handle)
        assert not on_card(state.keys) and not on_card(state.rows)
        ready = Result()
        again = engine.open_memory(Dense(), 8, SinkWindow(), ready, restored=state)
        ready.wait()
        assert asked(engine, again).text == said
        assert not card.refused, card.refused
        settle(engine, [handle, again])


class Watching(Recorder):
    """Does the work and looks at what recording it would meet."""

    def __init__(self, card: PlayedCard) -> None:
        self._card = card
        self.recorded = 0

    def record(self, work: Work) -> Work:
        self._card.forget()
        work()
        assert self._card.launches > 50
        assert not self._card.refused and not self._card.waits, "a graph cannot record that"
        self.recorded += 1
        return work


def test_what_is_recorded_as_a_graph_neither_waits_nor_crosses(model):
    with PlayedCard() as card:
        pool = PagePool(model.shape, 60, 4, CARD)
        put_on_card([pool.keys, pool.values])
        recorder = Watching(card)
        forward = DecodeForward(
            model, pool, GatheringReader(), memory_tokens=24, scratch_tokens=16, rows=4,
            recorder=recorder,
        )  # fmt: skip
        forward.prepare()
    assert recorder.recorded == 3


def test_a_played_card_notices_what_a_real_one_would():
    card = PlayedCard()
    there, here = torch.arange(4.0), torch.arange(4.0)
    put_on_card([there])
    with card:
        made = torch.zeros(4, device=there.device) + there * 2
        assert on_card(made) and there.device == CARD and here.device != CARD
        assert not card.refused and not card.waits
        _ = there + here
        _ = torch.cat([there, here])
        assert len(card.refused) == 2
        card.forget()
        _ = there + 1 + here[0]  # a single number may come from the host
        _ = there[there.long()]
        _ = here.to(CARD, non_blocking=True) + there
        assert not card.refused and not card.waits
        for wait in (
            lambda: there.tolist(),
            lambda: float(there[0]),
            lambda: bool((there > 1).any()),
            lambda: there.cpu(),
            lambda: there.nonzero(),
            lambda: there[there > 1],
            lambda: there[here.long()],
            lambda: here.to(CARD),
            lambda: torch.tensor([1.0], device=CARD),
        ):
            card.forget()
            wait()
            assert sum(card.waits.values()) == 1, card.waits
        card.forget()
        there.numpy()
        assert len(card.refused) == 1
        assert not on_card(there.cpu() + 1)


def _put_weights_on_card(selector: object) -> None:
    for part in vars(selector).values():
        if isinstance(part, torch.nn.Module):
            put_on_card([*part.parameters(), *part.buffers()])
