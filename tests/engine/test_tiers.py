"""Answers that read what lies in host memory and on disk, on the engine."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest
import torch

from core.errors import CapacityExceeded
from engine.engine import Engine
from engine.jobs import MemoryHandle
from engine.limits import Limits
from engine.recalling import Drawer, Recalling
from engine.requests import Ask, Perceived
from engine.scheduler import Scheduler
from memory.codecs.plain import Plain
from memory.policies.sink_window import SinkWindow
from memory.recall.archive import Archive
from memory.recall.gate import Always
from memory.recall.tiers import Tier
from memory.saving.state import MemoryState
from pruning.none import Dense
from tests.engine.listeners import Heard, Result, settle, show
from tests.tiny import ours, segment

CAPACITY, ALL = 90, 4000
LIMITS = Limits(cameras=3, answers=2, waiting=4, capacity=CAPACITY, prompt_tokens=120,
                answer_tokens=40, recall_budget=ALL)  # fmt: skip
QUESTION = "what did you see?"
BYTES = 320 * ours().shape.bytes_per_token  # a run and what will become the next one


@pytest.fixture
def engine():
    torch.set_num_threads(1)
    with Engine(ours(), LIMITS, Scheduler(prefill_tokens=64, encode_tokens=64)) as running:
        yield running


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.002)


def camera(
    engine: Engine,
    folder: Path | None,
    *,
    device: int = BYTES,
    lasting: bool = False,
    restored: MemoryState | None = None,
) -> MemoryHandle:
    drawer = None if folder is None else Drawer(folder, 10**7, lasting=lasting)
    recalling = Recalling(Plain(), Always(), device, ALL, 0 if drawer is None else BYTES, drawer)
    ready = Result()
    handle = engine.open_memory(
        Dense(), 8, SinkWindow(), ready, recalling=recalling, restored=restored
    )
    ready.wait()
    return handle


def archive_of(handle: MemoryHandle) -> Archive:
    assert handle.memory is not None
    assert handle.memory.archive is not None
    return handle.memory.archive


def watched(engine: Engine, handle: MemoryHandle, count: int = 30) -> Perceived:
    told = None
    for i in range(count):
        told = show(engine, handle, segment(i))
        until(lambda: archive_of(handle).settled)  # the engine has nothing else to do
    assert told is not None
    return told


def ask(engine: Engine, handle: MemoryHandle, tokens: int = 10) -> Heard:
    heard = Heard()
    engine.ask(handle, Ask(QUESTION, max_tokens=tokens), heard)
    return heard


def one_on_disk(handle: MemoryHandle, folder: Path) -> Path:
    """The oldest run's file."""
    files = [x.run.file for x in archive_of(handle).steps if x.run.file is not None]
    return folder / files[0].name


def test_an_answer_is_the_same_wherever_what_it_reads_lies(engine, tmp_path):
    whole, tiered = camera(engine, None, device=10**7), camera(engine, tmp_path / "porch")
    for handle in (whole, tiered):
        watched(engine, handle)
    assert {x.run.tier for x in archive_of(tiered).steps} == set(Tier)
    archived = len(archive_of(tiered).steps)
    one, other = (ask(engine, handle) for handle in (whole, tiered))
    for heard in (one, other):
        assert heard.wait().finish_reason in ("stop", "length")
    assert other.text == one.text
    begun, oracle = other.begins[0], one.begins[0]
    assert begun.memory_tokens == oracle.memory_tokens
    assert set(begun.recalled_from) == {"device", "host", "disk"}
    assert len(begun.recalled_from) == len(begun.recalled)
    assert set(oracle.recalled_from) == {"device"}
    order = ["disk", "host", "device"]
    assert sorted(begun.recalled_from, key=order.index) == list(begun.recalled_from)
    told = show(engine, tiered, segment(30))
    assert told.archived is not None
    read = {level.tier: level.read for level in told.archived.levels}
    assert sum(read.values()) == archived, "all there was"
    assert all(read.values())
    settle(engine, [whole, tiered])


class Stuck:
    """A file that nobody can finish reading before `let_go`: a pipe, which the kernel holds."""

    def __init__(self, path: Path) -> None:
        self._path, self._data = path, path.read_bytes()
        path.unlink()
        os.mkfifo(path)

    def let_go(self, data: bytes | None = None) -> None:
        threading.Thread(target=self._write, args=(self._data if data is None else data,)).start()

    def _write(self, data: bytes) -> None:
        with self._path.open("wb") as pipe:
            pipe.write(data)


def test_while_a_question_waits_for_the_disk_watching_and_other_answers_go_on(engine, tmp_path):
    slow, quick = camera(engine, tmp_path / "porch"), camera(engine, None, device=10**7)
    for handle in (slow, quick):
        watched(engine, handle)
    oracle = ask(engine, slow)
    oracle.wait()
    stuck = Stuck(one_on_disk(slow, tmp_path / "porch"))
    waits = ask(engine, slow)
    assert ask(engine, quick).wait().finish_reason in ("stop", "length")
    for i in range(30, 36):
        show(engine, quick, segment(i))
    assert not waits.begins, "it has nothing to read yet"
    until(lambda: not engine._work.anything)  # it does not spin for what it cannot do
    assert engine._work.patience is not None
    stuck.let_go()
    assert waits.wait().finish_reason in ("stop", "length")
    assert waits.text == oracle.text
    assert waits.begins[0].recalled == oracle.begins[0].recalled
    assert engine._work.patience is None
    settle(engine, [slow, quick])


def test_what_its_camera_sees_meanwhile_does_not_change_what_a_waiting_question_reads(
    engine, tmp_path
):
    paused, live = (camera(engine, tmp_path / name) for name in ("paused", "live"))
    for handle in (paused, live):
        watched(engine, handle)
    oracle = ask(engine, paused)
    oracle.wait()
    stuck = Stuck(one_on_disk(live, tmp_path / "live"))
    waits = Heard()
    answer = engine.ask(live, Ask(QUESTION, max_tokens=10), waits)
    until(lambda: answer.parked)
    before = {x.time: x.run.tier for x in archive_of(live).steps}
    for i in range(50, 62):
        show(engine, live, segment(i))
    now = {x.time: x.run.tier for x in archive_of(live).steps}
    assert any(now.get(when) is not tier for when, tier in before.items()), "nothing was moved"
    stuck.let_go()
    waits.wait()
    assert waits.text == oracle.text
    assert waits.begins[0].recalled == oracle.begins[0].recalled
    assert waits.begins[0].recalled_from == oracle.begins[0].recalled_from
    settle(engine, [paused, live])


@pytest.mark.parametrize("how", ["cancelled", "detached"])
def test_a_question_that_waits_for_the_disk_ends_at_once_when_it_is_to(engine, tmp_path, how):
    handle = camera(engine, tmp_path / "porch")
    watched(engine, handle)
    stuck = Stuck(one_on_disk(handle, tmp_path / "porch"))
    waits = Heard()
    answer = engine.ask(handle, Ask(QUESTION), waits)
    until(lambda: answer.parked)
    if how == "cancelled":
        engine.cancel(answer)
    else:
        engine.close_memory(handle)
    assert waits.wait().finish_reason == ("cancelled" if how == "cancelled" else "error")
    assert not waits.begins
    stuck.let_go()
    settle(engine, [handle] if how == "cancelled" else [])


def test_what_questions_that_ended_wanted_of_the_disk_is_not_read_any_more(engine, tmp_path):
    handle = camera(engine, tmp_path / "porch")
    watched(engine, handle)
    stuck = Stuck(one_on_disk(handle, tmp_path / "porch"))
    wanted: list[Future[torch.Tensor]] = []
    for _ in range(20):
        waits = Heard()
        answer = engine.ask(handle, Ask(QUESTION), waits)
        until(lambda answer=answer: answer.parked)
        assert answer.seeking is not None and answer.seeking._opening is not None
        found = [each for _, each in answer.seeking._opening._found.values()]
        wanted += [each for each in found if isinstance(each, Future)]
        engine.cancel(answer)
        assert waits.wait().finish_reason == "cancelled"
        assert answer.seeking is None, "it holds nothing that was read for it"
    assert len(wanted) > 20
    assert sum(not each.cancelled() for each in wanted) == 1, "the one that hangs"
    stuck.let_go()
    settle(engine, [handle])


def test_an_answer_goes_without_what_was_damaged(engine, tmp_path, caplog):
    handle, folder = camera(engine, tmp_path / "porch"), tmp_path / "porch"
    watched(engine, handle)
    whole = ask(engine, handle)
    whole.wait()
    one_on_disk(handle, folder).write_bytes(b"something else")
    heard = ask(engine, handle)
    assert heard.wait().finish_reason in ("stop", "length")
    assert heard.begins[0].memory_tokens < whole.begins[0].memory_tokens
    assert archive_of(handle).lost > 0
    assert any("are lost" in message for message in caplog.messages)
    settle(engine, [handle])


def test_closing_a_memory_leaves_no_page_no_thread_and_no_file(engine, tmp_path):
    handle = camera(engine, tmp_path / "porch")
    watched(engine, handle)
    assert list((tmp_path / "porch").iterdir())
    settle(engine, [handle])
    until(lambda: not (tmp_path / "porch").exists())


def test_what_cannot_be_set_aside_is_refused_in_words(engine):
    recalling = Recalling(Plain(), Always(), 2**60, 10)
    ready = Result()
    engine.open_memory(Dense(), 8, SinkWindow(), ready, recalling=recalling)
    with pytest.raises(CapacityExceeded, match=r"memory\.archive\.max_bytes"):
        ready.wait()
    settle(engine, [])


def test_a_memory_restored_after_a_restart_recalls_what_lay_on_disk(tmp_path):
    folder = tmp_path / "porch"
    with Engine(ours(), LIMITS) as first:
        handle = camera(first, folder, lasting=True)
        watched(first, handle)
        assert handle.memory is not None
        state = handle.memory.state()  # the engine has nothing to do now
        before = ask(first, handle)
        before.wait()
        settle(first, [handle])
    assert state.archive is not None
    assert state.archive.away
    with Engine(ours(), LIMITS) as second:
        handle = camera(second, folder, lasting=True, restored=state)
        after = ask(second, handle)
        after.wait()
        assert after.text == before.text
        assert after.begins[0].recalled == before.begins[0].recalled
        settle(second, [handle])
