"""The whole way on a GPU beside transformers on the CPU; the CPU goes the same way, to be sure."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.frames import Frame, Segment
from engine.engine import Engine
from engine.limits import Limits
from engine.requests import Ask
from memory.readers.choice import AUTO, choose
from memory.readers.reader import Demand
from models.qwen3_vl import Qwen3VL
from tests.engine.listeners import Heard, open_camera, show
from tests.models.harness import Stream
from tests.models.oracle import generate, whole
from tests.tiny import ours, segment

LIMITS = Limits(cameras=2, answers=2, waiting=2, capacity=400, prompt_tokens=200, answer_tokens=64)


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def model(request) -> Qwen3VL:
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    return ours(0, request.param)


def test_logits_are_those_of_plain_transformers_on_the_cpu(model):
    segments = [segment(i) for i in range(3)]
    stream = Stream(model)
    stream.watch(segments)
    said, logits = stream.ask("what do you see?", tokens=8)
    wanted, expected = generate(whole(segments, "what do you see?"), 8)
    assert said == wanted
    assert torch.allclose(logits.cpu(), expected, atol=1e-3)


def test_pictures_of_any_size_are_seen_as_on_the_cpu(model):
    draw = np.random.default_rng(0)
    frames = tuple(
        Frame(n / 4, n / 4, draw.integers(0, 256, (120, 170, 3), dtype=np.uint8)) for n in range(3)
    )
    one = Segment(0, frames)
    here, there = (m.encode([one], attention=True, pixels=True)[0] for m in (ours(), model))
    assert there.features.device.type == model.device.type
    # A level of 255 more or less in one value of a hundred: see `models.pictures`.
    assert torch.allclose(here.features, there.features.cpu(), atol=0.05)
    assert here.grid == there.grid and torch.equal(here.index, there.index.cpu())
    assert here.pixels is not None and there.pixels is not None
    assert (here.pixels.int() - there.pixels.cpu().int()).abs().max() <= 1


def test_the_engine_says_the_same_while_it_watches_whatever_is_recorded_and_runs_beside(model):
    demand = Demand(model.device, model.shape, LIMITS.page_size)
    texts = []
    for which, reader in ((ours(), None), (model, choose(AUTO, demand).reader())):
        with Engine(which, LIMITS, reader=reader, graphs=True) as engine:
            assert engine.graphed == (which.device.type == "cuda")
            handle = open_camera(engine)
            for number in range(3):
                show(engine, handle, segment(number))
            heard = [Heard(), Heard()]
            for one in heard:
                engine.ask(handle, Ask("what do you see?", max_tokens=24), one)
            for number in range(3, 8):
                show(engine, handle, segment(number))
            for one in heard:
                assert one.wait().error is None
            texts.append([one.text for one in heard])
    assert texts[0] == texts[1]
