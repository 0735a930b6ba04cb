"""Segments on their way into memory: bounded, in order, lost alone."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from core.errors import Busy, CapacityExceeded, FrameError
from core.frames import Frame, Segment
from engine.engine import Engine
from engine.perception import DRIFT
from engine.runner import Row
from engine.scheduler import Scheduler
from memory.scratch import Scratch
from memory.table import SINK
from pruning.vcast import VCast
from tests.engine.conftest import LIMITS
from tests.engine.hooked import Hooked
from tests.engine.listeners import DEADLINE, Result, ask, open_camera, settle, show
from tests.engine.taking import until
from tests.models.harness import Stream
from tests.tiny import ours, segment


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
        before = engine.turn_s
        assert before > 0
        engine.perceive(handle, segment(1), results[1])
        with pytest.raises(Busy, match="on their way"):
            engine.perceive(handle, segment(2), Result())
        assert engine.turn_s > before, "it is still in the same step"
        go_on.set()
        assert [result.wait().frames for result in results] == [2, 2]
        assert show(engine, handle, segment(2)).frames == 2
        until(lambda: engine.turn_s == 0)
        settle(engine, [handle])


def test_one_camera_too_many_is_refused_and_the_others_go_on(engine):
    handles = [open_camera(engine) for _ in range(LIMITS.cameras)]
    with pytest.raises(CapacityExceeded, match="max_cameras"):
        open_camera(engine)
    for handle in handles:
        show(engine, handle, segment(0))
    answers = [ask(engine, handle) for handle in handles]
    for answer in answers:
        assert answer.wait().error is None
    engine.close_memory(handles[0])
    settle(engine, [*handles[1:], open_camera(engine)])


def test_a_segment_that_cannot_be_encoded_is_lost_alone(engine):
    handle, other = open_camera(engine), open_camera(engine)
    thin = np.zeros((1, 5000, 3), np.uint8)
    bad = Segment(0, (Frame(0.0, 0.0, thin),))
    with pytest.raises(FrameError, match="lost: aspect ratio of 5000x1"):
        show(engine, handle, bad)
    assert show(engine, handle, segment(1)).frames == 2
    assert show(engine, other, segment(1)).frames == 2
    settle(engine, [handle, other])


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


def test_equal_pictures_that_are_to_be_seen_at_different_sizes_share_no_call():
    with Engine(ours(), LIMITS, Scheduler()) as engine:  # whose steps have room for both
        whole, small = open_camera(engine), open_camera(engine)
        both_are_there = threading.Event()
        engine.save(whole, lambda state: both_are_there.wait(DEADLINE))  # the engine's thread waits
        told = Result(), Result()
        pictures = segment(0, size=(128, 128))
        engine.perceive(whole, pictures, told[0])
        engine.perceive(small, pictures, told[1], picture=(64, 64))
        both_are_there.set()
        seen = [one.wait().steps[0] for one in told]
        assert [(step.rows, step.columns) for step in seen] == [(8, 8), (4, 4)]
        settle(engine, [whole, small])
