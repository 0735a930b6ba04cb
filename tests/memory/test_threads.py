"""Memories and their pages belong to the engine's thread; others get handles, values and counters.

What memory's classes promise ("belongs to one thread") is watched from outside: while a real engine
works for callers on several threads, every call into `memory/` on a thread that is not the engine's
is noted.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest
import torch

from core.errors import Busy
from engine.engine import Engine
from engine.limits import Limits
from engine.requests import Ask
from memory import memory as folder
from memory.memory import KVMemory
from memory.policies.sink_window import SinkWindow
from memory.pool import KVShape, PagePool
from memory.scratch import Scratch
from tests.engine.listeners import DEADLINE, Heard, open_camera, settle, show
from tests.memory.test_memory import append
from tests.tiny import ours, segment

torch.set_num_threads(1)

OWNED = {"memory.py", "block_table.py", "pool.py", "scratch.py", "snapshot.py", "archive.py"}
ROOT = Path(folder.__file__).parent
# What any thread may look at: numbers that are read in one stroke.
COUNTERS = {
    "KVMemory.held", "PagePool.pages", "PagePool.free", "PagePool.unpromised", "PagePool.bytes",
    "KVShape.bytes_per_token",
}  # fmt: skip


@contextmanager
def noted() -> Iterator[set[str]]:
    """Names of what is called of memory's own classes, on this thread and those it starts."""
    found: set[str] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        file = Path(code.co_filename)
        if event == "call" and file.name in OWNED and file.is_relative_to(ROOT):
            found.add(code.co_qualname)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def together(works: list[Callable[[], None]]) -> None:
    """Run each on a thread of its own; raises what one of them raised."""
    failed: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
        assert not thread.is_alive()
    if failed:
        raise failed[0]


def test_callers_of_the_engine_never_touch_a_memory_or_a_page():
    limits = Limits(cameras=3, answers=3, waiting=3, capacity=90, prompt_tokens=64,
                    answer_tokens=8)  # fmt: skip
    with Engine(ours(), limits) as engine:

        def live() -> None:
            handle = open_camera(engine)
            for number in range(6):
                show(engine, handle, segment(number))
                heard = Heard()
                answer = engine.ask(handle, Ask("what do you see?", max_tokens=8), heard)
                if number % 3 == 2:
                    engine.cancel(answer)
                heard.wait()
                assert heard.ends[0].error is None or isinstance(heard.ends[0].error, Busy)
            engine.close_memory(handle)

        with noted() as touched:
            together([live] * 3)
        settle(engine, [])
    assert touched <= COUNTERS


def test_touching_one_would_be_noted():
    """The negative control, on a thread that is started too."""
    with noted() as touched:
        memory = KVMemory(PagePool(KVShape(1, 1, 2), 40, 4), 20, SinkWindow())
        together([lambda: append(memory, [1, 2], [0.0, 0.0])])
    assert {"KVMemory.__init__", "KVMemory.append", "PagePool.lease"} <= touched
    assert not touched <= COUNTERS


@pytest.mark.parametrize("readers", [3])
def test_counters_that_others_read_meanwhile_are_always_in_their_bounds(readers):
    pool = PagePool(KVShape(1, 1, 2), 60, 4)
    memory = KVMemory(pool, 40, SinkWindow())
    over, looks = threading.Event(), []

    def read() -> None:
        seen = count = 0
        while not over.wait(0.0005):  # readers that spin would keep the interpreter to themselves
            before, seen = seen, memory.seen
            assert seen >= before
            assert 0 <= memory.held <= memory.capacity
            assert 0 <= pool.free <= pool.pages
            assert pool.bytes == 60 * 4 * pool.shape.bytes_per_token
            count += 1
        looks.append(count)

    def work() -> None:
        try:
            for number in range(600):
                append(memory, list(range(5 * number, 5 * number + 5)), [float(number)] * 5)
                snapshot = memory.snapshot()
                scratch = Scratch(pool, 20)
                scratch.extend(17)
                scratch.release()
                snapshot.release()
        finally:
            over.set()

    together([work, *[read] * readers])
    assert len(looks) == readers
    assert min(looks) > 0
    assert memory.seen == 3000
    memory.release()
    pool.check()
    assert pool.free == pool.unpromised == pool.pages
