"""`lookout events` on a real server."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess

from engine.requests import Noted
from tests.cli.test_cli import command
from tests.fakes.house import House, house

ENVIRONMENT = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "1", "TZ": "UTC"}


async def run(there: House, *arguments: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *command("events", *arguments, "--server", there.url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_events_are_printed_a_line_each_or_as_json_and_errors_are_one_line() -> None:
    async with house("porch") as there:
        there.cameras.get("porch").noted = (
            Noted(0.5, 1.5, "A ball came."),
            Noted(2.0, 3.0, "It\nleft."),
        )
        status, out, err = await run(there)
        assert (status, err) == (0, "")
        first, second = out.splitlines()
        assert first.endswith("+00:00  porch  A ball came.")
        assert second.endswith("porch  It\\nleft.")
        status, out, _ = await run(there, "--json", "--search", "ball", "--since", "2020-01-01")
        assert status == 0
        row = json.loads(out)
        assert (row["camera"], row["text"], row["t_end"]) == ("porch", "A ball came.", 1.5)
        status, out, err = await run(there, "--search", "whale")
        assert (status, out) == (0, "")
        assert "memory.notes" in err
        assert await run(there, "--search", "whale", "--json") == (0, "", "")
        status, out, err = await run(there, "--camera", "cellar")
        assert (status, out.strip(), err.count("\n")) == (1, "", 1)
        assert "cellar" in err
        status, _, err = await run(there, "--since", "yesterday")
        assert (status, err.count("\n")) == (2, 1)
        assert "yesterday" in err
