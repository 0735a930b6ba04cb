"""`lookout serve` killed while it watches and saves: it starts again and remembers."""

from __future__ import annotations

import asyncio
import re
import signal
from pathlib import Path
from typing import Any

import httpx

from tests.process import LookoutProcess, lookout
from tests.tiny import save


def options(folder: Path) -> list[str]:
    chosen = {
        "memory.save.folder": folder / "memories",
        "memory.save.every_s": 0,
        "memory.archive.max_bytes": 10**5,
        "memory.archive.host_bytes": 10**5,
        "memory.archive.disk_bytes": 10**7,
        "memory.archive.folder": folder / "runs",
        "memory.capacity": 100,
        "image.max_pixels": 4096,
    }
    source = ["--model", str(save(folder / "model")), "--source", "toys=demo:shapes"]
    return [*source, *(word for key, value in chosen.items() for word in ("-c", f"{key}={value}"))]


async def camera(server: LookoutProcess) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=server.url) as web:
        found: dict[str, Any] = (await web.get("/api/cameras/toys")).json()
        return found


async def watched_and_saved(server: LookoutProcess, frames: int) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while (await camera(server))["frames_remembered"] < frames:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.1)
    async with httpx.AsyncClient(base_url=server.url) as web:
        reply = await web.post("/api/cameras/toys/memory/save")
    assert reply.status_code == 200, reply.text
    told: dict[str, Any] = reply.json()
    return told


async def test_a_server_that_is_killed_remembers_what_it_had_saved(tmp_path):
    log = tmp_path / "log"
    async with lookout(*options(tmp_path), log=log) as server:
        assert (await camera(server))["restored"] == ""
        for number in (signal.SIGKILL, signal.SIGTERM):
            told = await watched_and_saved(server, 12)
            seen = (await camera(server))["memory_seen"]
            status = await server.end(number)
            assert status == (0 if number is signal.SIGTERM else -number)
            await server.start()
            again = await camera(server)
            found = re.fullmatch(r"restored (\d+) tokens up to ([\d.]+) s", again["restored"])
            assert found, again["restored"]
            assert float(found[2]) >= round(told["newest"], 1)
            if number is signal.SIGTERM:
                assert again["memory_seen"] >= seen, "what is stopped in peace forgets nothing"
    assert "Traceback" not in log.read_text()
