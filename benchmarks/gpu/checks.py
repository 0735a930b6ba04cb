"""Rows that run other programs: the tests that ask for a GPU, and the doctor."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from benchmarks.gpu.context import Context
from benchmarks.report import Row

_ROOT = Path(__file__).parents[2]
_MINUTES = 2.5
TESTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "device": "tests/models/test_on_the_device.py",
        "decoding": "tests/engine/test_decoding.py",
        "readers": "tests/memory/test_reader_backends.py",
        "packed": "tests/memory/packed",
    }
)
_DRY = ["tests/memory/test_reader_backends.py", "-k", "on_a_cpu"]


def tests(name: str, context: Context) -> list[Row]:
    """The tests of that name, which find a GPU there.

    Warnings are no failures here: a driver may have some of its own.
    """
    chosen = _DRY if context.dry else [TESTS[name]]
    return [_row(context, f"tests of {name}", ["-m", "pytest", "-q", "-W", "default", *chosen])]


def doctor(context: Context) -> list[Row]:
    """What `lookout doctor` says here."""
    return [_row(context, "doctor", ["-c", "from stream.cli import main; main()", "doctor"])]


def _row(context: Context, name: str, arguments: Sequence[str]) -> Row:
    """Run Python; the end of what it says is the row, all of it a file."""
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": _path()}
    try:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=_ROOT, env=environment, timeout=60 * _MINUTES, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        said = error.stdout or b""
        text = said.decode(errors="replace") if isinstance(said, bytes) else said
        code, last = None, f"not over after {_MINUTES:g} minutes"
    else:
        text, code = done.stdout, done.returncode
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        last = lines[-1] if lines else "said nothing"
    (context.out / f"{name.replace(' ', '-')}.log").write_text(text, encoding="utf-8")
    return {"program": name, "exit_status": code, "passed": code == 0, "last_line": last[:160]}


def _path() -> str:
    before = os.environ.get("PYTHONPATH")
    return str(_ROOT) if not before else f"{_ROOT}{os.pathsep}{before}"
