"""The command line: exit statuses, one-line errors, and real runs of `ask` and `serve`."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import yaml

from client import Lookout
from core.errors import ConfigError
from core.events import GoingAway
from stream.cli import execute
from stream.commands.catalogs import catalog
from stream.commands.run import parse_question, parse_time
from stream.commands.serve import set_aside
from tests import tiny
from tests.fakes.house import House, house

ENVIRONMENT = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "1"}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from stream.cli import main; main()", *arguments]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("tiny"))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["ask"], "CAMERA"),
        (["frobnicate"], "frobnicate"),
        (["run", "x.mp4", "--frob"], "--frob"),
        (["run", "x.mp4", "--ask", "noon=What?"], "noon"),
        (["run", "x.mp4", "--ask", "What?"], "T=QUESTION"),
        (["run", "x.mp4", "--speed", "warp"], "realtime, max"),
        (["run", "gopher://x"], "gopher"),
        (["run", "demo:shapes", "--pruning", "magic"], "'vcast'"),
        (["run", "demo:shapes", "--save-kept", "/dev/null/pictures"], "--save-kept"),
        (["serve", "--port", "high"], "--port"),
        (["serve", "--source", "porch"], "NAME=URL"),
        (["serve", "-c", "server.prt=1"], "server.prt"),
        (["config", "check", "-c", "nothing.yaml"], "nothing.yaml"),
        (["train", "nothing"], "embedded"),
        (["train"], "embedded"),
    ],
)
def test_a_wrong_call_is_status_2_and_one_line(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(arguments) == 2
    told = capsys.readouterr()
    assert told.err.count("\n") == 1
    assert named in told.err
    assert told.out == ""


@pytest.mark.parametrize("query", ["", "?channel=1"])
def test_an_address_without_its_name_is_refused_without_telling_the_password(
    query: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["serve", "--source", f"rtsp://me:Zx9Qq7@camera.lan/live{query}"]) == 2
    told = capsys.readouterr().err
    assert "camera.lan" in told
    assert "Zx9Qq7" not in told


def test_beyond_loopback_without_a_key_nothing_starts(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["serve", "--host", "0.0.0.0"]) == 2
    assert "LOOKOUT_API_KEY" in capsys.readouterr().err


def test_a_model_that_cannot_be_loaded_is_status_1_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["serve", "--port", "0", "--model", str(tmp_path / "none")]) == 1
    assert str(tmp_path / "none") in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_model_folder_with_a_missing_file_is_status_1_and_one_line(
    checkpoint: Path, tmp_path: Path, missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(checkpoint, folder)
    (folder / missing).unlink()
    assert execute(["serve", "--port", "0", "--model", str(folder)]) == 1
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("lookout: ")
    assert str(folder) in last
    assert missing.rpartition(".")[2] in last


def test_configuration_is_checked_shown_and_described(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["config", "check", "-c", "demo"]) == 0
    assert capsys.readouterr().out == "ok\n"
    assert execute(["config", "show", "-c", "pruning.budget=7"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["pruning"]["budget"] == 7
    assert execute(["config", "schema"]) == 0
    assert "pruning" in json.loads(capsys.readouterr().out)["properties"]


def test_a_key_is_made_with_the_hash_that_the_configuration_wants(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert execute(["config", "key"]) == 0
    made = yaml.safe_load(capsys.readouterr().out)
    keys = yaml.safe_dump([{"name": "me", "sha256": made["sha256"]}], default_flow_style=True)
    assert execute(["config", "check", "-c", f"server.api_keys={keys.strip()}"]) == 0


def test_trainings_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["train", "--list"]) == 0
    listed = capsys.readouterr().out
    for name, program in catalog("train").items():
        assert name in listed
        assert program.description in listed


@pytest.mark.parametrize("kind", ["train", "eval", "bench"])
def test_help_names_all_that_can_be_run(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute([kind, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"lookout {kind} NAME" in shown
    assert all(name in shown for name in catalog(kind))


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("1:30", 90), ("1:00:01.5", 3601.5)])
def test_stream_times_are_seconds_or_minutes_and_seconds(text: str, seconds: float) -> None:
    assert parse_time(text) == seconds
    assert parse_question(f"{text}=What = this?") == (seconds, "What = this?")


@pytest.mark.parametrize("text", ["", "x", "-1", "1:-2", "nan", "inf"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_time(text)


def test_help_and_ask_do_not_wait_for_torch() -> None:
    code = (
        "import sys\nfrom stream.cli import execute\nexecute(['--help'])\n"
        "execute(['ask', 'porch', 'What?', '--server', 'ws://127.0.0.1:1'])\n"
        "print('torch' in sys.modules, 'transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False False\n")


async def run_ask(there: House, *arguments: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *command("ask", *arguments, "--server", there.url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_ask_prints_the_answer_and_as_json_everything_about_it() -> None:
    async with house("porch") as there:
        assert await run_ask(there, "porch", "What?") == (0, "a red circle\n", "")
        status, out, _ = await run_ask(there, "porch", "What?", "--json")
        row = json.loads(out)
        assert (status, row["answer"], row["status"]) == (0, "a red circle", "completed")
        assert row["evidence"][0]["t_end"] == 3.5
        assert row["timing"]["ttft_ms"] == 5.0


async def test_ask_about_an_unknown_camera_is_status_1_and_one_line() -> None:
    async with house("porch") as there:
        status, out, err = await run_ask(there, "cellar", "What?")
        assert (status, out.strip()) == (1, "")
        assert err.count("\n") == 1
        assert "cellar" in err


async def test_who_asks_without_a_key_is_told_how_to_give_one() -> None:
    async with house("porch", environment={"LOOKOUT_API_KEY": "k" * 20}) as there:
        status, out, err = await run_ask(there, "porch", "What?")
        assert (status, out.strip(), err.count("\n")) == (1, "", 1)
        assert "--key" in err
        assert (await run_ask(there, "porch", "What?", "--key", "k" * 20))[0] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_answers_about_the_demo_camera_and_ends_cleanly(
    checkpoint: Path, number: signal.Signals
) -> None:
    """The whole house as a process: model, engine, camera, server; told to stop while asked."""
    arguments = ["--port", "0", "--model", str(checkpoint), "-c", "demo"]
    with subprocess.Popen(
        command("serve", *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        asyncio.run(visit(address, lambda: process.send_signal(number)))
        _, err = process.communicate(timeout=30)
        assert process.returncode == 0, err
        assert "Traceback" not in err


async def visit(address: str, stop: Callable[[], None]) -> None:
    async with Lookout(address) as lookout:
        deadline = time.monotonic() + 30
        while (await lookout.cameras())[0].frames_remembered == 0:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        answer = lookout.ask("demo", "What is there?", max_tokens=8)
        async for _ in answer:
            pass
        assert answer.response is not None
        assert answer.response.usage is not None
        assert answer.response.usage.output_tokens > 0
        async with httpx.AsyncClient(base_url=address) as web:
            truth = (await web.get("/api/cameras/demo/truth")).json()
            assert "objects" in truth
            snapshot = await web.get("/api/cameras/demo/snapshot.jpg")
            assert snapshot.content.startswith(b"\xff\xd8")
        events = lookout.events
        stop()
        async for event in events:
            if isinstance(event, GoingAway):
                return
    raise AssertionError("the server went without a word")


def test_a_port_in_use_is_status_2_and_says_so(checkpoint: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            command("serve", "--port", port, "--model", str(checkpoint)),
            capture_output=True,
            text=True,
            env=ENVIRONMENT,
            timeout=60,
        )
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert port in last
    assert "--port" in last


def test_run_answers_at_its_time_and_writes_json_lines(checkpoint: Path, tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    done = subprocess.run(
        command(
            *("run", "demo:shapes", "--ask", "0:02=What is there?", "--duration", "4"),
            *("--speed", "max", "--model", str(checkpoint), "--json", str(file)),
            *("--budget", "12", "--pruning", "uniform", "--memory", "256"),
            *("--save-kept", str(tmp_path / "kept")),
        ),
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "What is there?" in done.stdout
    answer, summary = (json.loads(line) for line in file.read_text().splitlines())
    assert (answer["question"], answer["asked_at"]) == ("What is there?", 2.0)
    assert answer["tokens"] > 0
    assert answer["evidence"][0]["t_end"] <= 2.0
    totals = summary["summary"]
    assert totals["frames_dropped"] == 0
    assert totals["memory_held"] <= totals["memory_capacity"] == 256
    assert totals["policy"] == "uniform"
    assert totals["budget"] == 12
    pictures = sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert len(pictures) == totals["frames_remembered"] // 2
    assert pictures[0].startswith("000000.125s-12of")


def test_what_stays_is_not_looked_through_again_and_again() -> None:
    before = gc.get_freeze_count()
    with set_aside():
        assert gc.get_freeze_count() > before
        assert len(gc.get_objects()) < 1000
    assert gc.get_freeze_count() == 0 < len(gc.get_objects())


def test_run_of_a_missing_file_is_status_1_and_names_it_before_any_model_is_loaded() -> None:
    done = subprocess.run(
        command("run", "nothing.mp4", "--model", "./no/such/model"),
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.strip() == "lookout: nothing.mp4: nothing there under this path"


def test_run_says_which_question_came_after_the_end(checkpoint: Path, tmp_path: Path) -> None:
    from tests.rtsp.media import write_counter_video

    video = tmp_path / "two_seconds.mp4"
    write_counter_video(video, seconds=2.0, fps=10)
    done = subprocess.run(
        command(
            *("run", str(video), "--ask", "1=Early?", "--ask", "1:30=Late?"),
            *("--speed", "max", "--model", str(checkpoint)),
        ),
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    early, late = done.stdout.splitlines()[-3:-1]
    assert early.startswith("[1.0 s]")
    assert "ended" not in early
    assert late.startswith("[90.0 s]")
    assert "the stream had ended at 1." in late
