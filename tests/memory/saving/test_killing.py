"""A process that is killed while it saves leaves a whole save behind, whenever it is killed."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from memory.policies.sink_window import SinkWindow
from memory.saving.shelf import Shelf
from tests.memory.saving.resuming import begin, fit, resume, watch

KILLS = 25

# For each line "START DELAY" a child saves for ever, numbering its saves from START + 1 by
# `newest`; it is killed after so many seconds, and the last number that it said is told.
SAVES_UNTIL_KILLED = """
import os, signal, sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
from memory.policies.sink_window import SinkWindow
from memory.saving.shelf import Shelf
from tests.memory.saving.resuming import begin, fit, watch

def save_for_ever(number, out):
    shelf = Shelf(Path(sys.argv[1]), "porch", fit(SinkWindow()))
    while True:
        number += 1
        shelf.write(run.memory.state(), float(number), 0.0)
        os.write(out, f"{number}\\n".encode())

run = watch(begin(SinkWindow()), 5)
for line in sys.stdin:
    start, delay = line.split()
    told, out = os.pipe()
    child = os.fork()
    if not child:
        save_for_ever(int(start), out)
    os.close(out)
    time.sleep(float(delay))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(told) as said:
        print(([start] + said.read().split())[-1], flush=True)
"""


@contextmanager
def saver(folder: Path) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", SAVES_UNTIL_KILLED, str(folder)]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def saved_until_killed(process: subprocess.Popen[str], start: int, delay_s: float) -> int:
    """The number of the last save that was said to be over."""
    assert process.stdout is not None
    assert process.stdin is not None
    process.stdin.write(f"{start} {delay_s}\n")
    process.stdin.flush()
    return int(process.stdout.readline())


def test_sigkill_in_the_middle_of_saves_leaves_the_last_or_the_next_one_whole(tmp_path):
    shelf = Shelf(tmp_path, "porch", fit(SinkWindow()))
    run = watch(begin(SinkWindow()), 5)
    shelf.write(run.memory.state(), 5.0, 0.0)
    last, dice, half_done = 5, random.Random(7), 0
    with saver(tmp_path) as process:
        for _ in range(KILLS):
            over = saved_until_killed(process, last, dice.uniform(0.005, 0.1))
            half_done += any(tmp_path.glob("camera-porch/.*"))
            saved = shelf.read()
            assert saved is not None
            assert saved.manifest.newest in (over, over + 1)
            resume(run, saved.state).pool.check()
            last = int(saved.manifest.newest)
    assert last > 5, "some save was over before its process was killed"
    assert half_done, "some process was killed in the middle of a save"
    shelf.write(run.memory.state(), last + 1.0, 0.0)
    assert len(list((tmp_path / "camera-porch").iterdir())) == 1, "what was half done is gone"
