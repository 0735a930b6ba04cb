"""Only one at a time has a folder, and whoever is killed has it no longer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from memory.saving.lock import LOCK, FolderTaken, alone

HOLDS = """
import sys
from pathlib import Path
from memory.saving.lock import alone
with alone(Path(sys.argv[1])):
    print("mine", flush=True)
    sys.stdin.read()
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(folder)], stdin=pipe, stdout=pipe, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "mine\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGKILL, None], ids=["killed", "ended"])
def test_another_process_keeps_a_folder_until_it_is_gone(tmp_path, number):
    with holder(tmp_path) as process:
        for _ in range(2):  # a refusal leaves everything as it is
            with pytest.raises(FolderTaken) as caught, alone(tmp_path):
                pytest.fail("the folder was taken")
            assert caught.value.owner == process.pid
        if number is None:
            process.communicate()
        else:
            process.send_signal(number)
        process.wait()
    with alone(tmp_path):
        assert (tmp_path / LOCK).read_text() == f"{os.getpid()}\n"


def test_threads_of_one_process_exclude_each_other_too(tmp_path):
    """And exactly one of many that ask at once has it."""
    ready, done, found = threading.Barrier(8), threading.Barrier(8), []

    def ask() -> None:
        ready.wait(10)
        try:
            with alone(tmp_path):
                found.append(True)
                done.wait(10)
        except FolderTaken:
            found.append(False)
            done.wait(10)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(found) == [False] * 7 + [True]


def test_what_stands_in_the_file_matters_to_nobody(tmp_path):
    for left in ("", "4711\n", "not a number", "\0" * 40):
        (tmp_path / LOCK).write_text(left)
        with alone(tmp_path), pytest.raises(FolderTaken), alone(tmp_path):
            pytest.fail("the folder was taken")


def test_the_file_is_its_owners_alone(tmp_path):
    with alone(tmp_path):
        assert (tmp_path / LOCK).stat().st_mode & 0o777 == 0o600
