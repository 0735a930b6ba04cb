"""A test that leaves a task or a thread behind fails, whatever else it showed."""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator

import pytest
import torch
from hypothesis import HealthCheck, settings

# Where there is no GPU, kernels run in Triton's interpreter. That is settled when Triton is first
# imported, which other libraries do on their own, so it is said before any test is.
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"

# Examples are not judged by their speed: that is the machine's, not ours.
settings.register_profile("lookout", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lookout")

# Pools that belong to the event loop and end with it, and watchers of child processes and of
# progress bars, of which a process has one.
POOLS = ("asyncio_", "AnyIO worker", "waitpid-", "asyncio-waitpid", "tqdm_monitor")
PATIENCE_S = 5.0


@pytest.fixture(autouse=True)
def no_thread_outlives_its_test() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + PATIENCE_S
    while leaked := [
        thread
        for thread in threading.enumerate()
        if thread not in before and not thread.name.startswith(POOLS)
    ]:
        assert time.monotonic() < deadline, f"threads left behind: {leaked}"
        time.sleep(0.01)


@pytest.fixture
async def no_task_outlives_its_test() -> AsyncIterator[None]:
    yield
    deadline = time.monotonic() + PATIENCE_S
    while leaked := asyncio.all_tasks() - {asyncio.current_task()}:
        assert time.monotonic() < deadline, f"tasks left behind: {leaked}"
        await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def no_leaks_in_coroutines(request: pytest.FixtureRequest) -> None:
    if inspect.iscoroutinefunction(getattr(request, "function", None)):
        request.getfixturevalue("no_task_outlives_its_test")
