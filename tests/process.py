"""`lookout serve` as people start it: a process of its own, killed or stopped by the test."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
START_S = 120.0  # the machine may be busy, and the first import of torch is slow
STOP_S = 20.0
MAIN = "import sys; from stream.cli import main; sys.exit(main())"


class LookoutProcess:
    """Serves on a port of its own; may be started again after its end.

    Args:
        options: of `lookout serve`.
        log: gets what it writes to standard error; None leaves that to the test's own.
        main: what the process runs.
    """

    def __init__(self, *options: str, log: Path | None = None, main: str = MAIN) -> None:
        self._options = options
        self._main = main
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"

    async def start(self) -> None:
        """Returns when it says where it listens."""
        with contextlib.ExitStack() as stack:
            errors = None if self._log is None else stack.enter_context(self._log.open("a"))
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", self._main, "serve", "--port", self.url.rpartition(":")[2]),
                *self._options,
                cwd=ROOT,
                env=os.environ | {"OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1"},
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )
        assert self._process.stdout is not None
        async with asyncio.timeout(START_S):
            line = await self._process.stdout.readline()
        assert self.url in line.decode(), f"lookout serve said: {line.decode()!r}"

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int | None:
        """Sends the signal and waits; the exit status, or None if it did not run."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.send_signal(number)
        return await _ended(process)

    async def ends(self) -> int | None:
        """Waits until it ends by itself; the exit status."""
        process, self._process = self._process, None
        assert process is not None, "it was not started"
        return await _ended(process)


async def _ended(process: asyncio.subprocess.Process) -> int | None:
    try:
        async with asyncio.timeout(STOP_S):
            await process.communicate()
    except TimeoutError:
        process.kill()
        await process.communicate()
        raise
    return process.returncode


@asynccontextmanager
async def lookout(
    *options: str, log: Path | None = None, main: str = MAIN
) -> AsyncIterator[LookoutProcess]:
    """A running server."""
    process = LookoutProcess(*options, log=log, main=main)
    try:
        await process.start()
        yield process
    finally:
        await process.end(signal.SIGKILL)
