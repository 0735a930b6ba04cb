"""Real components that a test needs: missing ones are a reason to skip, but not under CI."""

from __future__ import annotations

import os

import pytest


def need(present: bool, what: str) -> None:
    """Skips the test, or fails it where the environment variable CI is set, unless `present`."""
    if present:
        return
    if os.environ.get("CI"):
        pytest.fail(f"needs {what}")
    pytest.skip(f"needs {what}")
