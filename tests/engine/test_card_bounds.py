"""How often a segment and an answer wait for a card, and that hour 24 costs what minute 1 does.

Bounds are what was measured on a played card (`tests.card`), plus nothing: whoever adds a wait sees
it here. What is counted as a launch is every operation on the card, views included.
"""

from __future__ import annotations

import pytest

from engine.engine import Engine
from engine.limits import Limits
from engine.recalling import Recalling
from engine.requests import Ask
from memory.codecs.block import Block
from memory.policies.registry import POLICIES
from memory.policies.sink_window import SinkWindow
from memory.recall.gate import Always
from models.qwen3_vl import Qwen3VL
from pruning.none import Dense
from tests.card import PlayedCard
from tests.engine.listeners import Heard, Result, open_camera, settle, show
from tests.engine.played import model_on_card, on_the_card
from tests.tiny import segment

LIMITS = Limits(cameras=2, answers=2, waiting=2, capacity=170, prompt_tokens=200, answer_tokens=24)
RECALLING = Limits(cameras=2, answers=2, waiting=2, capacity=90, prompt_tokens=200,
                   answer_tokens=24, recall_budget=60)  # fmt: skip

SEEN = 2  # waits of every segment: are its tokens finite, which are kept
GATHERED = 1  # of a step that is archived: is it finite
FROZEN = 3  # of steps packed together: which of them are left, where they stood, are they finite
RECALLED = 2  # of an answer: which steps are found, which of their tokens are left
PERIOD = 6  # segments of this size that fill blocks of the codec

# Waits of the dearest segment: those above, what stays, and what the policy looks at by number.
OF_POLICIES = {
    "sink_window": 2,
    "recent_steps": 2,
    "streaming_vlm": 2,
    "infinipot_v": 3,
    "stream_mem": 4,
    "live_vlm": 3,
    "hermes": 4,
    "movie_chat": 4,
    "sharp_v": 5,
    "save_mem": 14,  # chooses anchors by clusters, round after round
    "video_scan": 3,
    "flash_vstream": 18,  # tries several numbers of clusters
    "hour_llava": 2,
}

Cost = tuple[int, int]  # launches and waits


@pytest.fixture(scope="module")
def model() -> Qwen3VL:
    return model_on_card()


def watched(engine: Engine, card: PlayedCard, handle, segments: int) -> list[Cost]:
    """What each segment cost."""
    costs = []
    for number in range(segments):
        card.forget()
        show(engine, handle, segment(number))
        costs.append((card.launches, sum(card.waits.values())))
    assert not card.refused, card.refused
    return costs


def archiving(engine: Engine, nbytes: int, host_bytes: int = 0):
    """A camera that packs what its small memory gives up."""
    ready = Result()
    recalling = Recalling(Block(), Always(), nbytes, 60, host_bytes)
    handle = engine.open_memory(Dense(), 8, SinkWindow(), ready, recalling=recalling)
    ready.wait()
    return handle


@pytest.mark.parametrize("kind", POLICIES, ids=lambda kind: kind.__name__)
def test_a_segment_waits_no_more_often_than_its_memory_policy_must(model, kind):
    with on_the_card(model, LIMITS) as (engine, card):
        handle = open_camera(engine, memory=kind())
        costs = watched(engine, card, handle, 30)[12:]
        assert max(waits for _, waits in costs) <= OF_POLICIES[kind().method], costs
        settle(engine, [handle])


def test_an_archive_costs_a_segment_one_wait_and_a_block_three(model):
    with on_the_card(model, RECALLING) as (engine, card):
        handle = archiving(engine, 10**6)
        waits = [waits for _, waits in watched(engine, card, handle, 12 + PERIOD)[12:]]
        assert sorted(waits)[:-1] == [SEEN + GATHERED] * (PERIOD - 1), waits
        assert max(waits) <= SEEN + GATHERED + FROZEN
        settle(engine, [handle])


def test_an_answer_that_recalls_waits_twice_beside_once_a_token(model):
    with on_the_card(model, RECALLING) as (engine, card):
        handle = archiving(engine, 10**6, 10**5)
        watched(engine, card, handle, 24)
        card.forget()
        heard = Heard()
        engine.ask(handle, Ask("what do you see?", max_tokens=12), heard)
        assert heard.wait().error is None
        assert heard.begins[0].recalled
        assert not card.refused, card.refused
        assert sum(card.waits.values()) <= heard.ends[0].tokens + RECALLED, card.waits
        settle(engine, [handle])


def test_hour_24_costs_what_minute_1_costs(model):
    with on_the_card(model, RECALLING) as (engine, card):
        handle = archiving(engine, 10**6)
        costs = watched(engine, card, handle, 42)
        assert len(set(costs[12:18])) == 2  # one of them packs
        assert costs[12:18] == costs[18:24] == costs[36:42]
        settle(engine, [handle])


def test_a_full_archive_costs_no_more_as_it_gets_older(model):
    with on_the_card(model, RECALLING) as (engine, card):
        handle = archiving(engine, 2 * 10**5, 3 * 10**4)
        costs = watched(engine, card, handle, 48)
        young, old = costs[12:24], costs[36:]
        assert max(old) <= max(young)
        # Steps are packed earlier, one move between tiers more.
        assert max(waits for _, waits in old) <= SEEN + GATHERED + FROZEN + 1
        settle(engine, [handle])
