"""A word reads exactly what memory held when it was planned: nothing later, nothing given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from core.errors import LookoutError
from engine.engine import Engine
from engine.jobs import AnswerHandle, MemoryHandle
from engine.limits import Limits
from engine.positions.continuous import Continuous
from engine.positions.registry import SCHEMES
from engine.requests import Ask, Perceived
from engine.runner import Row, Runner
from engine.speaking import Speaking
from engine.visibility import RULES, AsAsked, Live, Visibility
from memory.pool import PagePool
from memory.readers.reader import Plan
from memory.readers.torch_reader import TorchReader
from memory.scratch import Scratch
from models.layout import Chunk
from models.qwen3_vl import Qwen3VL
from tests.engine.listeners import Heard, open_camera, settle, show
from tests.tiny import ours, segment

QUESTION = "what do you see?"
CAPACITY = len(ours().prefix()) + 50  # two steps of 20
LIMITS = Limits(cameras=1, answers=2, waiting=2, capacity=CAPACITY, prompt_tokens=60,
                answer_tokens=40)  # fmt: skip


@dataclass
class Read:
    """What one forward of an answer read of the memory."""

    keys: Tensor  # of layer 0, rotated, [n, kv_heads, d]
    entered: int  # steps that had been reported by then


class Watched(Qwen3VL):
    """The tiny model; notes what rows without pictures read."""

    def __init__(self) -> None:
        vars(self).update(vars(ours()))
        self.read: list[Read] = []
        self.entered = 0

    def forward(self, chunks: Sequence[Chunk], plan: Plan) -> Tensor:
        for span, chunk in zip(plan.spans, chunks, strict=True):
            if span.memory is not None and not chunk.visual.any():
                keys = plan.pool.keys[0].flatten(0, 1)[span.memory.slots].clone()
                self.read.append(Read(keys, self.entered))
        return super().forward(chunks, plan)


def step_keys(count: int) -> list[Tensor]:
    """Keys of layer 0 of each step, which depend on nothing else: [n, kv_heads, d]."""
    model = ours()
    pool, found = PagePool(model.shape, 200, 16), []
    runner, position = Runner(model, pool, TorchReader()), model.prefix().next_position
    for i in range(count):
        chunk = model.lay_steps(model.encode([segment(i)])[0], position)
        scratch = Scratch(pool, len(chunk))
        runner.forward([Row(chunk, None, scratch)])
        found.append(pool.keys[0].flatten(0, 1)[scratch.view().slots].clone())
        scratch.release()
        position = chunk.next_position
    return found


def spoken(
    sight: Visibility, steps: int, tokens: int = 30, before: int = 3
) -> tuple[Watched, Heard, int]:
    """An answer while `steps` segments come in one after the other, `before` being there before."""
    torch.set_num_threads(1)
    model = Watched()

    def entered(result: Perceived | LookoutError) -> None:
        assert isinstance(result, Perceived)
        model.entered += 1

    with Engine(model, LIMITS, speaking=Speaking(sight, Continuous())) as engine:
        handle = open_camera(engine)
        for i in range(before):
            show(engine, handle, segment(i))
            model.entered += 1
        handed = before

        def spoke(heard: Heard) -> None:
            nonlocal handed
            if handed < before + steps and model.entered == handed:
                engine.perceive(handle, segment(handed), entered)
                handed += 1

        model.read.clear()
        heard = Heard(spoke)
        engine.ask(handle, Ask(QUESTION, max_tokens=tokens), heard)
        heard.wait()
        assert engine.pool.pages == LIMITS.pages(ours().max_step_tokens, ours().marker_tokens)
        settle(engine, [handle])
    return model, heard, handed


def held(keys: list[Tensor], entered: int) -> Tensor:
    """What a window holds after so many steps, the fixed beginning left out, [n, kv_heads, d]."""
    room, first = CAPACITY - len(ours().prefix()), entered
    while first and len(keys[first - 1]) <= room:
        first -= 1
        room -= len(keys[first])
    return torch.cat([keys[0][:0], *keys[first:entered]])


def same(read: Tensor, wanted: Tensor) -> bool:
    """Whether the rows of both are the same, in any order, the fixed beginning left out."""
    if len(read) != len(wanted) + len(ours().prefix()):
        return False
    apart = (wanted.flatten(1)[:, None] - read.flatten(1)).abs().amax(-1)
    return bool((apart.amin(1) < 1e-4).all())


@pytest.mark.parametrize("before", [1, 3])  # a memory with room left, and a full one
def test_each_word_of_a_live_answer_reads_all_that_had_come_in_and_nothing_that_went(before):
    model, heard, handed = spoken(Live(), steps=8, before=before)
    keys = step_keys(handed)
    times = [one.entered for one in model.read]
    assert times == sorted(times)
    assert times[0] == before
    assert times[-1] >= 6, "steps must come in, and others go, while it is said"
    for one in model.read:
        assert same(one.keys, held(keys, one.entered))
        assert not same(one.keys, held(keys, one.entered - 1))
    assert len(heard.ends) == 1


def test_each_word_of_an_answer_on_a_snapshot_reads_what_was_there_when_it_began():
    model, _, handed = spoken(AsAsked(), steps=8)
    keys = step_keys(handed)
    assert model.read[-1].entered >= 6
    for one in model.read:
        assert same(one.keys, held(keys, 3))


def test_an_answer_says_up_to_when_it_saw():
    _, live, _ = spoken(Live(), steps=4)
    _, usual, _ = spoken(AsAsked(), steps=4)
    assert live.begins[0].t_end == usual.begins[0].t_end == usual.ends[0].t_end
    assert live.ends[0].t_end is not None
    assert usual.ends[0].t_end is not None
    assert live.ends[0].t_end > usual.ends[0].t_end


def test_a_live_answer_keeps_no_page_of_the_memory():
    taken: list[tuple[int, int]] = []
    with Engine(ours(), LIMITS, speaking=Speaking(Live(), Continuous())) as engine:
        handle = open_camera(engine)
        for i in range(3):
            show(engine, handle, segment(i))

        def spoke(heard: Heard) -> None:
            assert handle.memory is not None
            pages = handle.memory._store.table._pages
            taken.append((max(engine.pool.references(page) for page in pages), heard.deltas))

        heard = Heard(spoke)
        engine.ask(handle, Ask(QUESTION, max_tokens=10), heard)
        heard.wait()
        assert {references for references, _ in taken} == {1}
        settle(engine, [handle])


@pytest.mark.parametrize("sight", [rule() for rule in RULES], ids=lambda rule: rule.rule)
@pytest.mark.parametrize("make", SCHEMES)
def test_whatever_is_cancelled_or_detached_in_the_middle_no_page_is_lost(make, sight):
    with Engine(ours(), LIMITS, speaking=Speaking(sight, make())) as engine:
        handles: list[MemoryHandle] = []
        for way in ("cancel", "detach"):
            handle = open_camera(engine)
            show(engine, handle, segment(0))
            answers: list[AnswerHandle] = []

            def spoke(
                heard: Heard, way: str = way, handle: MemoryHandle = handle,
                answers: list[AnswerHandle] = answers,
            ) -> None:  # fmt: skip
                if heard.deltas == 2:
                    engine.perceive(handle, segment(1), lambda result: None)
                if heard.deltas == 4 and way == "detach":
                    engine.close_memory(handle)
                elif heard.deltas == 4:
                    engine.cancel(answers[0])

            heard = Heard(spoke)
            answers.append(engine.ask(handle, Ask(QUESTION, max_tokens=30), heard))
            ended = heard.wait()
            assert ended.finish_reason == ("error" if way == "detach" else "cancelled")
            handles.append(handle)
            engine.close_memory(handle)
        settle(engine, handles)
