"""`lookout serve` whose device fails ends by itself, so that whoever watches it starts it again."""

from __future__ import annotations

import asyncio
import re
import signal

import httpx
import pytest

from client import Lookout
from core.errors import LookoutError
from tests.process import LookoutProcess, lookout
from tests.stream.test_killed_server import camera, options, watched_and_saved

# The command as it is, over a model whose device is gone as soon as a file is there.
FRAIL = """
import sys
from pathlib import Path

import torch

import stream.compose as compose
from stream.cli import main
from tests.engine.hooked import Hooked

load = compose.load_model


def fail(chunks):
    if Path(%r).exists():
        raise torch.AcceleratorError("the device is gone")


compose.load_model = lambda *given, **named: Hooked(load(*given, **named), fail)
sys.exit(main())
"""


async def refused(server: LookoutProcess) -> str:
    """What somebody hears who asks until the end."""
    async with Lookout(server.url.replace("http", "ws")) as connection:
        while True:
            async for _ in connection.ask("toys", "What do you see?"):
                pass


async def test_a_server_whose_device_fails_says_so_and_ends_and_the_next_one_remembers(tmp_path):
    log, gone = tmp_path / "log", tmp_path / "gone"
    async with lookout(*options(tmp_path), log=log, main=FRAIL % str(gone)) as server:
        told = await watched_and_saved(server, 12)
        async with httpx.AsyncClient(base_url=server.url) as web:
            assert (await web.get("/readyz")).status_code == 200
        asking = asyncio.create_task(refused(server))
        await asyncio.sleep(0)
        gone.touch()
        assert await server.ends() == 1
        with pytest.raises(LookoutError):
            await asking
        lines = log.read_text().splitlines()
        assert lines[-1] == "lookout: the engine has ended; the log says why"
        assert any("the engine died" in line for line in lines)
        gone.unlink()
        await server.start()
        again = await camera(server)
        found = re.fullmatch(r"restored (\d+) tokens up to ([\d.]+) s", again["restored"])
        assert found, again["restored"]
        assert float(found[2]) >= round(told["newest"], 1)
        assert await server.end(signal.SIGTERM) == 0
