"""Every pruning method on the engine: what it remembers is what the model run by hand remembers."""

from __future__ import annotations

import pytest

from engine.engine import Engine
from engine.limits import Limits
from engine.requests import Ask
from engine.scheduler import Scheduler
from pruning.online import OnlinePruner
from pruning.registry import policies
from tests.engine.listeners import Heard, open_camera, settle, show
from tests.models.harness import Stream
from tests.tiny import ours, segment

LIMITS = Limits(cameras=2, answers=2, waiting=2, capacity=400, prompt_tokens=200, answer_tokens=16)


@pytest.fixture(scope="module")
def engine():
    with Engine(ours(), LIMITS, Scheduler(prefill_tokens=24, encode_tokens=24)) as running:
        yield running


@pytest.mark.parametrize("policy", policies(), ids=lambda p: p.label)
def test_an_answer_is_that_of_the_model_run_by_hand(engine, policy):
    handle, dense = open_camera(engine, policy, budget=4), open_camera(engine)
    segments = [segment(i, steps=1 + i % 2) for i in range(3)]
    kept = 0
    for one in [*segments, None]:
        kept += show(engine, handle, one).kept
        if one is not None:
            show(engine, dense, one)  # a neighbour that needs no attention
    heard = Heard()
    engine.ask(handle, Ask("what do you see?", max_tokens=8), heard)
    heard.wait()
    pruner, stream, model = OnlinePruner(policy, 4), Stream(ours()), ours()
    for one in segments:
        stream.remember(
            pruner.push(
                model.encode([one], attention=policy.needs_attention, pixels=policy.needs_pixels)[0]
            )
        )
    stream.remember(pruner.flush())
    assert kept == pruner.kept
    assert handle.memory is not None
    assert handle.memory.held == stream.memory.held
    ids, _ = stream.ask("what do you see?", tokens=8)
    stop = next((i for i, t in enumerate(ids) if t in model.stop_ids), None)
    assert heard.text == model.detokenize(ids[:stop])
    settle(engine, [handle, dense])
