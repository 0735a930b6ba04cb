"""What people do most: keep frames, and let `generate` read them at each question."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import torch
from transformers import StoppingCriteria, StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer

from benchmarks.live.spoken import Say, spoken
from benchmarks.live.stock import Size, Stock, fitted
from core.frames import Frame, Segment


class Rereading:
    """Frames in a buffer, read anew at each question by transformers' `generate`.

    Frames are resized when they come and held as small as the model sees them, which is kinder
    than what is usually done; nothing is encoded before somebody asks.

    Args:
        name: in tables.
        stock: the model.
        size: rows and columns of a picture as the model sees it.
        last: how many frames are held; None: all.
        bytes_per_token: of keys and values.
    """

    def __init__(
        self, name: str, stock: Stock, size: Size, last: int | None, bytes_per_token: int
    ) -> None:
        self.name = name
        self.grows = last is None
        self._stock = stock
        self._size = size
        self._frames: deque[Frame] = deque(maxlen=last)
        self._bytes_per_token = bytes_per_token
        self._read = self._said = 0

    async def watch(self, segment: Segment) -> int:
        """See `Contender.watch`."""
        small = await asyncio.to_thread(lambda: [fitted(f, self._size) for f in segment.frames])
        self._frames.extend(small)
        return len(small)

    async def skip(self, frames: int) -> None:
        """See `Contender.skip`: what was held would have given way."""
        if not self.grows and frames:
            self._frames.clear()

    @asynccontextmanager
    async def ask(self, question: str, tokens: int) -> AsyncIterator[AsyncIterator[int]]:
        """See `Contender.ask`."""
        frames = tuple(self._frames)
        async with spoken(partial(self._speak, frames, question, tokens)) as words:
            yield words

    @property
    def read_tokens(self) -> int:
        """See `Contender.read_tokens`."""
        return self._read

    @property
    def held_bytes(self) -> int:
        """See `Contender.held_bytes`: pixels."""
        return sum(frame.pixels.nbytes for frame in self._frames)

    @property
    def answer_bytes(self) -> int:
        """See `Contender.answer_bytes`: of all that was read."""
        return (self._read + self._said) * self._bytes_per_token

    @torch.inference_mode()
    def _speak(self, frames: tuple[Frame, ...], question: str, tokens: int, say: Say) -> None:
        given = self._stock.prompt(frames, question)
        self._read, self._said = given["input_ids"].shape[1], tokens
        speaker = _Speaker(say)
        self._stock.model.generate(
            **given,
            **self._stock.options(tokens),
            streamer=speaker,
            stopping_criteria=StoppingCriteriaList([speaker.stopping]),
        )


class _Speaker(BaseStreamer):  # type: ignore[misc]  # transformers has no types
    """Hands tokens on as `generate` says them; the prompt comes first and is left out."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._prompt = True
        self.stopping = _Left()

    def put(self, value: Any) -> None:
        """The prompt's ids, then one id after the other."""
        if self._prompt:
            self._prompt = False
            return
        self.stopping.left = not self._say(int(value))

    def end(self) -> None:
        """Nothing more comes."""


class _Left(StoppingCriteria):  # type: ignore[misc]
    """Ends an answer that nobody listens to."""

    left = False

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        return torch.full((len(input_ids),), self.left, device=input_ids.device)
