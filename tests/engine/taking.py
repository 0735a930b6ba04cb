"""A tiny model that takes notes on an engine, and what they must be, worked out by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from itertools import product

import torch
from torch import Tensor

from engine.engine import Engine
from engine.jobs import MemoryHandle
from engine.limits import Limits
from engine.noting import Noting
from engine.requests import Noted
from engine.runner import Row, Runner
from memory.memory import KVMemory
from memory.policies.policy import MemoryPolicy
from memory.policies.sink_window import SinkWindow
from memory.pool import PagePool
from memory.readers.reader import Plan
from memory.readers.torch_reader import TorchReader
from memory.saving.state import MemoryState
from memory.scratch import Scratch
from models.layout import Chunk
from models.qwen3_vl import Qwen3VL
from pruning.none import Dense
from tests.engine.listeners import DEADLINE, Result
from tests.tiny import ours, segment

NOTING = Noting("Note what changes.", every=3, max_tokens=6)
ROOM = 90  # tokens for notes: two of about 40
SINK = len(ours().prefix())
LIMITS = Limits(cameras=2, answers=2, waiting=2, capacity=SINK + 60 + ROOM, prompt_tokens=100,
                answer_tokens=40, noting=ROOM, note_tokens=NOTING.tokens(ours()))  # fmt: skip


class Taking(Qwen3VL):
    """The tiny model; tells of each forward of a note before it runs, and may bend what it says."""

    def __init__(self) -> None:
        vars(self).update(vars(ours()))
        self.before: Callable[[], None] = lambda: None
        self.bend: Callable[[Tensor], Tensor] = lambda logits: logits
        self.forwards = 0  # of notes
        self.together = 0  # of these, with rows of somebody else
        self._asking = self.lay_text(self.question_ids(NOTING.question, (), "")[:4], 0).embeds
        self._opening = self.prefix().embeds[:4]
        self._writing = False

    def forward(self, chunks: Sequence[Chunk], plan: Plan) -> Tensor:
        if any(_begins(chunk, self._asking) for chunk in chunks):
            self._writing = True
        own = self._writing and not any(
            bool(chunk.visual.any()) or _begins(chunk, self._opening) for chunk in chunks
        )
        if not own:
            return super().forward(chunks, plan)
        self.forwards += 1
        self.together += len(chunks) > 1
        self.before()
        return self.bend(super().forward(chunks, plan))


def _begins(chunk: Chunk, embeds: Tensor) -> bool:
    return len(chunk) > len(embeds) and torch.equal(chunk.embeds[: len(embeds)], embeds)


class Notes:
    """A listener that waits for a number of notes."""

    def __init__(self) -> None:
        self.told: list[Noted] = []
        self._more = threading.Condition()

    def __call__(self, note: Noted) -> None:
        with self._more:
            self.told.append(note)
            self._more.notify_all()

    def wait(self, count: int) -> list[Noted]:
        with self._more:
            assert self._more.wait_for(lambda: len(self.told) >= count, DEADLINE), "no note came"
            return list(self.told)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.005)


def camera(
    engine: Engine,
    notes: Notes,
    policy: MemoryPolicy | None = None,
    restored: MemoryState | None = None,
) -> MemoryHandle:
    ready = Result()
    handle = engine.open_memory(
        Dense(), 8, policy or SinkWindow(), ready, restored=restored, on_note=notes
    )
    ready.wait()
    return handle


def note_keys(memory: KVMemory, t_end: float) -> tuple[Tensor, Tensor]:
    """Keys and values of a note as they are stored, [layers, kv_heads, n, d]."""
    state = memory.state()
    own = torch.from_numpy(state.tokens.note & (state.tokens.time == t_end))
    found: list[list[Tensor]] = [[], []]
    for layer, head in product(range(memory.pool.shape.layers), range(memory.pool.shape.kv_heads)):
        rows = state.rows[min(layer, len(state.rows) - 1)]
        rows = rows[min(head, len(rows) - 1)]
        slots = (own[rows.clamp(min=0)] & (rows >= 0)).nonzero()[:, 0]
        slots = slots[torch.argsort(rows[slots])]
        for side, store in zip(found, (state.keys, state.values), strict=True):
            side.append(store[layer, head, slots])
    keys, values = (torch.stack(side).unflatten(0, state.keys.shape[:2]) for side in found)
    return keys, values


def by_hand(count: int, ids: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Keys and values of a text prefilled after so many segments, [layers, kv_heads, n, d]."""
    model = ours()
    pool = PagePool(model.shape, 100, 16)
    runner, scratch = Runner(model, pool, TorchReader()), Scratch(pool, 1000)
    chunk = model.prefix()
    runner.forward([Row(chunk, None, scratch)])
    for i in range(count):
        chunk = model.lay_steps(model.encode([segment(i)])[0], chunk.next_position)
        runner.forward([Row(chunk, None, scratch)])
    runner.forward([Row(model.lay_text(ids, chunk.next_position), None, scratch)])
    slots = scratch.view().slots[-len(ids) :]
    keys, values = (x.flatten(1, 2)[:, slots].transpose(1, 2) for x in (pool.keys, pool.values))
    return keys, values
