"""Lookout itself: the engine that the server runs, with the settings of the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from benchmarks.live.endless import spelled
from core.errors import LookoutError
from core.frames import Segment
from engine.engine import Engine
from engine.jobs import MemoryHandle
from engine.requests import Ask, Begun, Ended
from memory.saving.state import MemoryState
from stream.cameras.settling import settler
from stream.cameras.watching import Watching


class Lookout:
    """One camera's memory in a running engine.

    Args:
        engine: running, over a model that is `Endless`.
        watching: how the camera is watched.
    """

    name = "lookout"
    grows = False

    def __init__(self, engine: Engine, watching: Watching) -> None:
        self._engine = engine
        self._watching = watching
        self._handle: MemoryHandle | None = None
        self._frames = 0
        self._begun: Begun | None = None
        self._said = 0

    async def open(self, restored: MemoryState | None = None) -> None:
        """Set its memory aside; call before all else.

        Raises:
            LookoutError: if there is no room.
        """
        watching = self._watching

        def claim(told: Callable[[Any], None]) -> None:
            self._handle = self._engine.open_memory(
                watching.policy,
                watching.budget,
                watching.eviction,
                told,
                recalling=watching.recalling,
                restored=restored,
            )

        await _told(claim)

    def close(self) -> None:
        """Give the memory back. Idempotent."""
        if self._handle is not None:
            self._engine.close_memory(self._handle)
            self._handle = None

    async def watch(self, segment: Segment) -> int:
        """See `Contender.watch`."""
        handle = self._open
        result = await _told(lambda told: self._engine.perceive(handle, segment, told))
        self._frames += len(segment.frames)
        frames: int = result.frames
        return frames

    async def skip(self, frames: int) -> None:
        """See `Contender.skip`: positions go on as they would; as after a restart, but later."""
        handle = self._open
        state = await _told(lambda told: self._engine.save(handle, told))
        per_frame = state.next_position / max(1, self._frames)
        self.close()
        ahead = state.next_position + round(frames * per_frame)
        await self.open(replace(state, next_position=ahead))
        self._frames += frames

    @asynccontextmanager
    async def ask(self, question: str, tokens: int) -> AsyncIterator[AsyncIterator[int]]:
        """See `Contender.ask`."""
        listener = _Listener()
        answer = self._engine.ask(self._open, Ask(question, max_tokens=tokens), listener)
        try:
            self._begun, self._said = await listener.settled, tokens
            yield listener.words()
        finally:
            self._engine.cancel(answer)
            await listener.over.wait()

    @property
    def read_tokens(self) -> int:
        """See `Contender.read_tokens`."""
        return 0 if self._begun is None else self._begun.memory_tokens + self._begun.prompt_tokens

    @property
    def held_bytes(self) -> int:
        """See `Contender.held_bytes`: all that is reserved for the memory, full or not."""
        pages = self._engine.pool.pages_for(self._engine.limits.capacity)
        slots = pages * self._engine.limits.page_size
        recalling = self._watching.recalling
        archive = 0 if recalling is None else recalling.archive_bytes
        return slots * self._engine.model.shape.bytes_per_token + archive

    @property
    def answer_bytes(self) -> int:
        """See `Contender.answer_bytes`: the question and what was said."""
        own = 0 if self._begun is None else self._begun.prompt_tokens + self._said
        return own * self._engine.model.shape.bytes_per_token

    @property
    def _open(self) -> MemoryHandle:
        assert self._handle is not None, "open it first"
        return self._handle


class _Listener:
    """An `AnswerListener`: from the engine's thread to the event loop it was made on."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._heard: asyncio.Queue[int | Ended] = asyncio.Queue()  # at most an answer's tokens
        self.settled: asyncio.Future[Begun] = self._loop.create_future()
        self.over = asyncio.Event()

    def begun(self, begun: Begun) -> None:
        """It is settled what the answer reads."""
        self._loop.call_soon_threadsafe(self._begin, begun)

    def delta(self, text: str) -> None:
        """Ids, spelled."""
        for token in spelled(text):
            self._loop.call_soon_threadsafe(self._heard.put_nowait, token)

    def ended(self, ended: Ended) -> None:
        """Nothing more comes."""
        self._loop.call_soon_threadsafe(self._end, ended)

    async def words(self) -> AsyncIterator[int]:
        """The ids.

        Raises:
            LookoutError: if the answer failed.
        """
        while not isinstance(heard := await self._heard.get(), Ended):
            yield heard
        if heard.error is not None:
            raise heard.error

    def _begin(self, begun: Begun) -> None:
        if not self.settled.done():
            self.settled.set_result(begun)

    def _end(self, ended: Ended) -> None:
        if ended.error is not None and not self.settled.done():
            self.settled.set_exception(ended.error)
        self._heard.put_nowait(ended)
        self.over.set()


async def _told(begin: Callable[[Callable[[Any], None]], None]) -> Any:
    """What the engine tells of what was begun.

    Raises:
        LookoutError: if that is what it tells.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()
    begin(settler(loop, done))
    result = await done
    if isinstance(result, LookoutError):
        raise result
    return result
