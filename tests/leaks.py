"""What a test leaves behind is a failure: source threads and unfinished tasks."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator

import pytest


def source_threads() -> list[threading.Thread]:
    """Decode threads that are still running."""
    return [one for one in threading.enumerate() if one.name.startswith("source ")]


@pytest.fixture
async def no_leaks() -> AsyncIterator[None]:
    """Fails when a decode thread or a task outlives the test."""
    before = set(source_threads())
    yield
    deadline = time.monotonic() + 5.0
    while leaked := (set(source_threads()) - before) | _other_tasks():
        assert time.monotonic() < deadline, f"left behind: {leaked}"
        await asyncio.sleep(0.01)


def _other_tasks() -> set[asyncio.Task[object]]:
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}
