"""A real `lookout serve` process, as a user starts it, and what can be seen of it from outside."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

START_S = 90.0


@dataclass
class Served:
    """A running server."""

    address: str
    process: subprocess.Popen[str]
    log: Path

    @property
    def websocket(self) -> str:
        return self.address.replace("http", "ws", 1)

    def camera(self, name: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.address}/api/cameras/{name}", timeout=10) as reply:
            return json.load(reply)

    async def until(self, name: str, condition, within_s: float = 60.0) -> dict[str, Any]:
        """The camera's numbers as soon as they meet the condition."""
        deadline = time.monotonic() + within_s
        while True:
            view = await asyncio.to_thread(self.camera, name)
            if condition(view):
                return view
            assert time.monotonic() < deadline, f"waited in vain: {view}"
            await asyncio.sleep(0.05)


@asynccontextmanager
async def serving(folder: Path, *arguments: str) -> AsyncIterator[Served]:
    """`lookout serve` on a free port; afterwards it must stop cleanly on SIGTERM."""
    log = folder / "serve.log"
    with log.open("w") as errors:
        process = subprocess.Popen(  # noqa: ASYNC220 - returns at once
            [Path(sys.executable).with_name("lookout"), "serve", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | {"OMP_WAIT_POLICY": "PASSIVE", "PYTHONUNBUFFERED": "1"},
        )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), START_S)
        found = re.search(r"http\S+", line)
        assert found, f"no address in {line!r}; {log.read_text()}"
        yield Served(found[0], process, log)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 30) == 0, log.read_text()
    finally:
        process.kill()
        await asyncio.to_thread(process.wait, 10)
        process.stdout.close()
    assert "Traceback" not in log.read_text(), log.read_text()


@dataclass
class Figures:
    """What a run measured; appended to the file that LOOKOUT_FIGURES names, if it names one."""

    input: str
    values: dict[str, Any] = field(default_factory=dict)

    def write(self) -> None:
        if path := os.environ.get("LOOKOUT_FIGURES"):
            with Path(path).open("a") as file:
                file.write(json.dumps({"input": self.input, **self.values}) + "\n")
