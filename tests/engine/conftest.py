"""The engine that most tests run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.engine import Engine
from engine.limits import Limits
from engine.scheduler import Scheduler
from tests.tiny import ours

LIMITS = Limits(cameras=3, answers=3, waiting=3, capacity=400, prompt_tokens=200, answer_tokens=64)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(ours(), LIMITS, Scheduler(prefill_tokens=24, encode_tokens=24)) as running:
        yield running
    assert not running._thread.is_alive()
