"""A real `lookout serve` process, as a user starts it, and what can be seen of it from outside."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.process import lookout


@dataclass
class Served:
    """A running server."""

    address: str
    log: Path

    @property
    def websocket(self) -> str:
        return self.address.replace("http", "ws", 1)

    def camera(self, name: str) -> dict[str, Any]:
        return self._get(f"/api/cameras/{name}")

    def cameras(self) -> list[str]:
        return [one["name"] for one in self._get("/api/cameras")["cameras"]]

    async def until(self, name: str, condition, within_s: float = 60.0) -> dict[str, Any]:
        """The camera's numbers as soon as they meet the condition."""
        deadline = time.monotonic() + within_s
        while True:
            view = await asyncio.to_thread(self.camera, name)
            if condition(view):
                return view
            assert time.monotonic() < deadline, f"waited in vain: {view}"
            await asyncio.sleep(0.05)

    def _get(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.address}{path}", timeout=10) as reply:
            return json.load(reply)


@asynccontextmanager
async def serving(folder: Path, *arguments: str) -> AsyncIterator[Served]:
    """`lookout serve` on a free port; afterwards it must stop cleanly on SIGTERM."""
    log = folder / "serve.log"
    async with lookout(*arguments, log=log) as process:
        yield Served(process.url, log)
        assert await process.end(signal.SIGTERM) == 0, log.read_text()
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
