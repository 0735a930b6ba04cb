"""Listeners that record, for tests: thread-safe, with a deadline on every wait."""

from __future__ import annotations

import threading
from collections.abc import Callable

from core.errors import LookoutError
from core.frames import Segment
from engine.engine import Engine
from engine.jobs import MemoryHandle
from engine.requests import Ask, Begun, Ended, Perceived
from engine.selecting import Selecting
from memory.policies.policy import MemoryPolicy
from memory.policies.sink_window import SinkWindow
from pruning.none import Dense
from pruning.policy import PruningPolicy

DEADLINE = 60.0


class Heard:
    """An AnswerListener that keeps everything and lets a test wait for it."""

    def __init__(self, on_delta: Callable[[Heard], None] | None = None) -> None:
        self.text = ""
        self.deltas = 0
        self.begins: list[Begun] = []
        self.ends: list[Ended] = []
        self._on_delta = on_delta
        self._over = threading.Event()

    def begun(self, begun: Begun) -> None:
        self.begins.append(begun)

    def delta(self, text: str) -> None:
        assert text
        assert not self.ends, "text after the end"
        self.text += text
        self.deltas += 1
        if self._on_delta:
            self._on_delta(self)

    def ended(self, ended: Ended) -> None:
        self.ends.append(ended)
        self._over.set()

    def wait(self) -> Ended:
        assert self._over.wait(DEADLINE), "the answer did not end"
        return self.ends[0]


class Result:
    """A PerceiveListener with a wait."""

    def __init__(self) -> None:
        self.results: list[Perceived | LookoutError] = []
        self._done = threading.Event()

    def __call__(self, result: Perceived | LookoutError) -> None:
        self.results.append(result)
        self._done.set()

    def wait(self) -> Perceived:
        assert self._done.wait(DEADLINE), "the segment did not get into memory"
        result = self.results[0]
        if isinstance(result, LookoutError):
            raise result
        return result


def open_camera(
    engine: Engine,
    policy: PruningPolicy | None = None,
    budget: int = 8,
    selecting: Selecting | None = None,
    memory: MemoryPolicy | None = None,
) -> MemoryHandle:
    ready = Result()
    handle = engine.open_memory(policy or Dense(), budget, memory or SinkWindow(), ready, selecting)
    ready.wait()
    return handle


def show(engine: Engine, handle: MemoryHandle, segment: Segment | None) -> Perceived:
    result = Result()
    engine.perceive(handle, segment, result)
    return result.wait()


def ask(
    engine: Engine, handle: MemoryHandle, text="what do you see?", tokens=12, **kwargs
) -> Heard:
    heard = Heard()
    engine.ask(handle, Ask(text, max_tokens=tokens, **kwargs), heard)
    return heard


def settle(engine: Engine, handles: list[MemoryHandle]) -> None:
    """Close all memories and check that every page came back."""
    for handle in handles:
        engine.close_memory(handle)
    done = threading.Event()
    engine._submit(done.set)
    assert done.wait(DEADLINE)
    assert engine.pool.free == engine.pool.pages
    assert engine.pool.unpromised == engine.pool.pages
    engine.pool.check()
