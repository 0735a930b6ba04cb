"""The engine's way of running a model, without the engine: memory, scratch, one packed forward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from core.frames import Segment
from core.tokens import VisualTokens
from engine.recalling import Recalled, put, seek
from engine.runner import Row, Runner
from memory.memory import KVMemory
from memory.policies.sink_window import SinkWindow
from memory.pool import PagePool
from memory.readers.torch_reader import TorchReader
from memory.recall.archive import Archive
from memory.scratch import Scratch
from models.layout import Chunk
from models.qwen3_vl import Qwen3VL

Prune = Callable[[VisualTokens], VisualTokens]


class Stream:
    """One camera's memory over a model; everything fits unless a capacity is given."""

    def __init__(
        self,
        model: Qwen3VL,
        capacity: int = 4096,
        page_size: int = 16,
        archive: Archive | None = None,
    ) -> None:
        self.model = model
        pages = 4 * (capacity // page_size + 64)
        self.pool = PagePool(model.shape, pages, page_size, model.device)
        self.memory = KVMemory(self.pool, capacity, SinkWindow(), model.rotation, archive)
        self.runner = Runner(model, self.pool, TorchReader())
        self._remember(model.prefix(), sink=True)

    def watch(self, segments: Sequence[Segment], prune: Prune = lambda tokens: tokens) -> None:
        for one in segments:
            self.remember([prune(self.model.encode([one])[0])])

    def remember(self, pieces: Sequence[VisualTokens]) -> None:
        for tokens in pieces:
            self._remember(self.model.lay_steps(tokens, self.memory.next_position), sink=False)

    def ask(
        self, text: str, tokens: int, parts: int = 1, budget: int = 0
    ) -> tuple[list[int], Tensor]:
        """Greedy ids and the logits they were taken from, [tokens, vocab].

        With a budget, up to so many tokens of the archive are read besides.
        """
        snapshot, recalled = self.memory.snapshot(), Recalled()
        if budget:
            assert self.memory.archive is not None
            archive = self.memory.archive
            sought = seek(self.runner, snapshot, archive, text, budget)
            recalled = sought.recalled(archive, self.pool.device)
        ids = self.model.question_ids(text, [], "")
        chunk = self.model.lay_text(ids, snapshot.extent.next_position)
        scratch = Scratch(self.pool, len(recalled) + len(chunk) + tokens)
        put(self.runner, recalled, scratch)
        said, seen = [], []
        for part in split(chunk, parts):
            logits = self.runner.forward([Row(part, snapshot.view, scratch)])[0]
        position = chunk.next_position
        for _ in range(tokens):
            seen.append(logits)
            said.append(int(logits.argmax()))
            step = self.model.lay_text([said[-1]], position)
            position = step.next_position
            logits = self.runner.forward([Row(step, snapshot.view, scratch)])[0]
        scratch.release()
        snapshot.release()
        return said, torch.stack(seen)

    def _remember(self, chunk: Chunk, sink: bool) -> None:
        scratch = Scratch(self.pool, len(chunk))
        self.runner.forward([Row(chunk, self.memory.view(), scratch)])
        self.memory.append(
            scratch.view().slots,
            chunk.positions.T.contiguous().numpy(),
            None if sink else chunk.times.numpy(),
            chunk.visual.numpy(),
        )
        self.memory.next_position = chunk.next_position
        scratch.release()


def split(chunk: Chunk, parts: int) -> list[Chunk]:
    bounds = [round(len(chunk) * i / parts) for i in range(parts + 1)]
    return [chunk.part(a, b) for a, b in pairwise(bounds) if b > a]
