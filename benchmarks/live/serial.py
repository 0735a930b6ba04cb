"""A loop that watches, speaks, and watches again, over one cache of keys and values.

As StreamingVLM drives a model (arXiv 2510.09608): the fixed beginning and a window of the newest
seconds stay in the cache, and when old steps leave it the rest moves up to the beginning, so that
positions stay contiguous and small. While it speaks it does not watch. Unlike there, what was said
does not stay in the cache: no other way here remembers its own words either.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import torch
from torch import Tensor
from transformers import DynamicCache

from benchmarks.live.spoken import Say, spoken
from benchmarks.live.stock import Stock
from core.frames import Segment
from models.layout import Chunk
from models.vlm import VideoLanguageModel

WINDOW_S = 16.0  # StreamingVLM's


class Serial:
    """Sink and window in a cache of transformers; watching and speaking take turns.

    Args:
        stock: the model, whose language model reads the cache.
        adapter: the same weights; sees pictures and lays tokens out, as it does for Lookout.
        window_s: seconds of stream that stay.
    """

    name = "serial"
    grows = False

    def __init__(
        self, stock: Stock, adapter: VideoLanguageModel, window_s: float = WINDOW_S
    ) -> None:
        self._stock = stock
        self._adapter = adapter
        self._window_s = window_s
        self._turn = asyncio.Lock()  # the loop does one thing at a time
        self._cache = DynamicCache(config=stock.model.config.text_config)
        self._steps: deque[tuple[float, int]] = deque()  # time and tokens of those in the window
        prefix = adapter.prefix()
        self._sink = len(prefix)
        self._positions = torch.empty(3, 0, dtype=torch.int64)  # of what the cache holds
        self._next = 0
        self._read = self._answer = 0
        self._take(prefix)

    async def watch(self, segment: Segment) -> int:
        """See `Contender.watch`: waits while it speaks."""
        async with self._turn:
            await asyncio.to_thread(self._see, segment)
        return len(segment.frames)

    async def skip(self, frames: int) -> None:
        """See `Contender.skip`: positions never grow, so only the window would be another."""

    @asynccontextmanager
    async def ask(self, question: str, tokens: int) -> AsyncIterator[AsyncIterator[int]]:
        """See `Contender.ask`: nothing is watched until it is left."""
        async with self._turn, spoken(partial(self._speak, question, tokens)) as words:
            yield words

    @property
    def read_tokens(self) -> int:
        """See `Contender.read_tokens`."""
        return self._read

    @property
    def held_bytes(self) -> int:
        """See `Contender.held_bytes`: the cache."""
        return self._positions.shape[1] * self._adapter.shape.bytes_per_token

    @property
    def answer_bytes(self) -> int:
        """See `Contender.answer_bytes`: the question and what was said."""
        return self._answer * self._adapter.shape.bytes_per_token

    @torch.inference_mode()
    def _see(self, segment: Segment) -> None:
        tokens = self._adapter.encode([segment])[0]
        for step, time in enumerate(tokens.times):
            self._evict(time - self._window_s)
            chunk = self._adapter.lay_steps(tokens.steps(step, step + 1), self._next)
            self._take(chunk)
            self._steps.append((time, len(chunk)))

    @torch.inference_mode()
    def _speak(self, question: str, tokens: int, say: Say) -> None:
        held = self._positions.shape[1]
        ids = self._adapter.question_ids(question, (), "")
        self._read, self._answer = held + len(ids), len(ids) + tokens
        chunk = self._adapter.lay_text(ids, self._next)
        barred = sorted(self._stock.stops)
        logits = self._forward(chunk)
        if self._stock.silence is not None:
            logits[self._stock.silence] = -torch.inf  # who asks is answered
        for place in range(tokens):
            logits[barred] = -torch.inf
            token = int(logits.argmax())
            if not say(token) or place + 1 == tokens:
                break
            chunk = self._adapter.lay_text([token], chunk.next_position)
            logits = self._forward(chunk)
        self._cache.crop(held - self._cache.get_seq_length())

    def _take(self, chunk: Chunk) -> None:
        self._forward(chunk)
        self._positions = torch.cat([self._positions, chunk.positions], dim=1)
        self._next = chunk.next_position

    def _forward(self, chunk: Chunk) -> Tensor:
        """Logits of the last token, [vocab]; all its keys and values are in the cache then."""
        model, sees = self._stock.model, bool(chunk.visual.any())
        hidden = model.model.language_model(
            inputs_embeds=chunk.embeds[None],
            position_ids=chunk.positions[:, None].to(model.device),
            past_key_values=self._cache,
            use_cache=True,
            visual_pos_masks=chunk.visual[None].to(model.device) if sees else None,
            deepstack_visual_embeds=list(chunk.deepstack) if sees else None,
        ).last_hidden_state[0, -1]
        logits: Tensor = model.lm_head(hidden).float()
        return logits

    def _evict(self, before: float) -> None:
        """Let go of steps older than that; the rest moves up to the fixed beginning."""
        gone = 0
        while self._steps and self._steps[0][0] < before:
            gone += self._steps.popleft()[1]
        if not gone:
            return
        first, sink = self._sink + gone, self._positions[:, : self._sink]
        kept = self._positions[:, first:]
        new = int(kept.min()) if kept.shape[1] else self._next
        shift = new - (int(sink.max()) + 1)
        rotation = self._adapter.rotation
        for layer in self._cache.layers:
            bare = rotation.take(layer.keys[:, :, first:], kept.T)
            moved = rotation.put(bare, (kept - shift).T).to(layer.keys.dtype)
            layer.keys = torch.cat([layer.keys[:, :, : self._sink], moved], dim=2)
            layer.values = torch.cat(
                [layer.values[:, :, : self._sink], layer.values[:, :, first:]], dim=2
            )
        self._positions = torch.cat([sink, kept - shift], dim=1)
        self._next -= shift
