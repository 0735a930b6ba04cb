"""Every memory policy on the engine: bounded, undisturbed by what arrives, leaking nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch

from engine.engine import Engine
from engine.limits import Limits
from engine.requests import Ask
from engine.scheduler import Scheduler
from memory.policies.live_vlm import LiveVLM
from memory.policies.policy import MemoryPolicy, Observes
from memory.policies.registry import POLICIES
from memory.policies.sharp_v import SharpVMemory
from pruning.uniform import Uniform
from tests.engine.listeners import Heard, open_camera, settle, show
from tests.tiny import ours, segment

CAPACITY = 90
LIMITS = Limits(cameras=2, answers=2, waiting=2, capacity=CAPACITY, prompt_tokens=200,
                answer_tokens=24)  # fmt: skip
EVERY = pytest.mark.parametrize("kind", POLICIES, ids=lambda kind: kind.__name__)


@pytest.fixture(scope="module")
def engine():
    with Engine(ours(), LIMITS, Scheduler(prefill_tokens=24, encode_tokens=24)) as running:
        yield running


def ask(engine: Engine, handle, tokens: int = 20) -> Heard:
    heard = Heard()
    engine.ask(handle, Ask("what do you see?", max_tokens=tokens), heard)
    return heard


@EVERY
def test_an_answer_is_that_of_a_paused_camera_while_memory_is_compressed_under_it(engine, kind):
    policy: MemoryPolicy = kind()
    paused, watched = (open_camera(engine, memory=policy) for _ in range(2))
    for i in range(9):
        for handle in (paused, watched):
            show(engine, handle, segment(i))
    one, other = paused.memory, watched.memory
    assert one is not None
    assert other is not None
    assert one.held == other.held <= CAPACITY
    assert torch.equal(one.rows, other.rows)
    heard = ask(engine, watched)
    for i in range(9, 15):
        show(engine, watched, segment(i))
    heard.wait()
    quiet = ask(engine, paused)
    quiet.wait()
    assert heard.text == quiet.text
    assert heard.ends[0].finish_reason == quiet.ends[0].finish_reason
    settle(engine, [paused, watched])


def test_the_newest_visual_tokens_are_what_a_policy_that_wants_them_scores_by(engine):
    watching = LiveVLM(watched=4)
    seen: list[int] = []
    handle = open_camera(engine, memory=Spying(seen, watching))
    for i in range(6):
        show(engine, handle, segment(i))
    assert seen[0] == 0, "the fixed beginning shows nothing"
    assert set(seen[1:]) == {4}
    settle(engine, [handle])
    seen.clear()
    handle = open_camera(engine, budget=1, policy=Uniform(), memory=Spying(seen, watching))
    for i in range(12):
        show(engine, handle, segment(i))
    assert max(seen) <= 2, "a step of one visual token has no more, whatever marks it has"
    settle(engine, [handle])


@pytest.mark.parametrize("granularity", ["layer", "token"])
def test_layers_forget_what_they_see_otherwise_as_soon_as_it_was_prefilled(engine, granularity):
    def lengths(threshold: float) -> torch.Tensor:
        policy = SharpVMemory(threshold, granularity, floor=0.0)
        handle = open_camera(engine, memory=policy)
        show(engine, handle, segment(0))
        assert handle.memory is not None
        found = (handle.memory.rows >= 0).sum(-1)
        settle(engine, [handle])
        return found

    whole, strict = lengths(-1.0), lengths(0.999)
    assert (whole == whole[0, 0]).all()
    assert torch.equal(strict[0], whole[0]), "the first layer reads what was put in"
    assert (strict[-1] < whole[-1]).all()


@dataclass(frozen=True)
class Spying(MemoryPolicy):
    """LiveVLM, telling how many queries it was shown."""

    seen: list[int]
    inner: LiveVLM
    per_head: ClassVar[bool] = True
    observes: ClassVar[Observes] = Observes.NEWEST

    @property
    def queries(self) -> int:
        return self.inner.queries

    def retain(self, contents, incoming, limit):
        if contents.observed is not None:
            self.seen.append(len(contents.observed.queries(0)))
        return self.inner.retain(contents, incoming, limit)


@EVERY
def test_no_policy_lets_a_model_look_farther_back_than_it_was_made_to(engine, kind):
    handle = open_camera(engine, memory=kind())
    memory, reach = handle.memory, ours().reach
    assert memory is not None
    assert reach is not None
    first = memory.extent().floor
    for i in range(16):
        show(engine, handle, segment(i))
        end = memory.next_position + LIMITS.prompt_tokens + LIMITS.answer_tokens
        assert end - memory.tokens.positions.min() <= reach, "the beginning included"
        assert memory.tokens.sink.any() and not memory.tokens.sink.all()
        memory.next_position += reach // 7  # as after minutes; the engine has nothing to do now
    assert memory.extent().floor > first + reach, "or nothing had to follow"
    ask(engine, handle).wait()
    settle(engine, [handle])


@EVERY
def test_memory_stays_within_its_bytes_however_long_the_stream(engine, kind):
    handle = open_camera(engine, memory=kind())
    free = engine.pool.unpromised
    for i in range(25):
        told = show(engine, handle, segment(i % 7, steps=1 + i % 2))
        assert told.held <= CAPACITY
        assert engine.pool.unpromised == free, "what a camera may use was set aside at the start"
    assert handle.memory is not None
    assert handle.memory.seen > 2 * CAPACITY
    settle(engine, [handle])
