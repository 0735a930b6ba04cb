"""One thread for calls that may block: what nobody will get is cancelled, and nothing piles up."""

from __future__ import annotations

import threading
from concurrent.futures import wait

import pytest

from memory.recall.worker import Worker


@pytest.fixture
def held():
    """A worker whose thread is held up by its first call until the event is set."""
    worker, busy, go = Worker("tests", urgent=3), threading.Event(), threading.Event()
    first = worker.submit(lambda: (busy.set(), go.wait(30)))
    assert busy.wait(30)
    yield worker, go
    go.set()
    worker.close()
    assert worker.join(30)
    assert first.done()


def test_what_is_urgent_goes_first(held):
    worker, go = held
    order: list[str] = []
    calls = [worker.submit(lambda name=name: order.append(name)) for name in "ab"]
    calls.append(worker.submit(lambda: order.append("urgent"), urgent=True))
    go.set()
    wait(calls, 30)
    assert order == ["urgent", "a", "b"]


def test_what_had_not_begun_is_cancelled_at_the_end_and_nobody_waits_for_it(held):
    worker, go = held
    dropped = [worker.submit(list), worker.submit(list, urgent=True)]
    last: list[str] = []
    worker.close(lambda: last.append("last"))
    assert all(each.cancelled() for each in dropped)
    assert worker.submit(list).cancelled()
    go.set()
    assert worker.join(30)
    assert last == ["last"]


def test_a_thread_that_hangs_gathers_so_many_urgent_calls_and_no_more(held):
    worker, go = held
    waiting = [worker.submit(list, urgent=True) for _ in range(3)]
    assert all(worker.submit(list, urgent=True).cancelled() for _ in range(1000))
    assert len(worker._urgent) == 3
    waiting[1].cancel()  # whoever asked has given up: there is room for another
    taken = worker.submit(list, urgent=True)
    assert not taken.cancelled()
    go.set()
    wait([waiting[0], waiting[2], taken], 30)


def test_an_error_is_the_callers_and_the_thread_goes_on(held):
    worker, go = held
    go.set()

    def fails() -> None:
        raise OSError("no")

    assert isinstance(worker.submit(fails).exception(30), OSError)
    assert worker.submit(lambda: 7).result(30) == 7
