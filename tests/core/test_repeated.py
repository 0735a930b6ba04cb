"""A failure that comes back is told now and then, and none is left uncounted."""

from __future__ import annotations

import logging

from core.repeated import Repeated

LOG = logging.getLogger("lookout.test")


def test_failures_are_told_at_once_then_counted_until_the_next_line(caplog):
    now = 100.0
    repeated = Repeated(LOG, every_s=10.0, clock=lambda: now)
    with caplog.at_level(logging.ERROR, "lookout.test"):
        for second in range(25):
            now = 100.0 + second
            repeated.tell("a job failed", ValueError(f"number {second}"))
    assert caplog.messages == [
        "a job failed",
        "a job failed (9 more since the line before)",
        "a job failed (9 more since the line before)",
    ]
    errors = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert [str(error) for error in errors] == ["number 0", "number 10", "number 20"]


def test_a_failure_long_after_the_last_one_is_told_as_if_it_were_the_first(caplog):
    now = 0.0
    repeated = Repeated(LOG, every_s=10.0, clock=lambda: now)
    with caplog.at_level(logging.ERROR, "lookout.test"):
        repeated.tell("a job failed", ValueError())
        now = 1000.0
        repeated.tell("a job failed", ValueError())
    assert caplog.messages == ["a job failed", "a job failed"]
