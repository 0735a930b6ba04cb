"""A file: played by `lookout run` at real time and at full speed, and looped as a camera."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from tests.proof.serving import Figures, serving
from tests.proof.watching import measure
from tests.rtsp.media import write_counter_video

SECONDS = 6.0


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    return write_counter_video(tmp_path_factory.mktemp("video") / "counter.mp4", seconds=SECONDS)


async def lookout(*arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("lookout"),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"OMP_WAIT_POLICY": "PASSIVE"},
    )
    out, errors = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode is not None
    return process.returncode, out.decode(), errors.decode()


@pytest.mark.parametrize("speed", ["realtime", "max"])
async def test_lookout_run_plays_a_file_and_answers_on_the_way(tmp_path, video, speed):
    report = tmp_path / "run.jsonl"
    status, out, errors = await lookout(
        "run", str(video), "--speed", speed, "--json", str(report),
        "--ask", "2=What do you see?", "--ask", "0:04=How many objects are there?",
    )  # fmt: skip
    assert status == 0, errors
    *answers, last = [json.loads(line) for line in report.read_text().splitlines()]
    assert [row["asked_at"] for row in answers] == [2.0, 4.0]
    for row in answers:
        assert row["answer"]
        assert row["answer"] in out
        assert row["finish_reason"] in ("stop", "length")
        (evidence,) = row["evidence"]
        assert evidence["t_end"] < row["asked_at"]
    summary = last["summary"]
    assert summary["frames_dropped"] == 0
    assert summary["frames_in"] == summary["frames_remembered"] == SECONDS * 4
    assert summary["memory_held"] <= summary["memory_capacity"]
    Figures(
        f"file-run-{speed}",
        {
            "frames_in": summary["frames_in"],
            "frames_dropped": summary["frames_dropped"],
            "lag_p95_ms": round(summary["lag_p95_ms"], 1),
            "ttft_p50_ms": round(answers[0]["ttft_ms"], 1),
            "ttft_p95_ms": round(max(row["ttft_ms"] for row in answers), 1),
            "answers": len(answers),
        },
    ).write()


async def test_a_looped_file_is_watched_while_answers_are_given(tmp_path, video):
    async with serving(tmp_path, "--source", f"cam={video}?loop=1") as served:
        await served.until("cam", lambda v: v["state"] == "live" and v["frames_remembered"])
        figures = await measure(served, "cam", "file-loop-realtime")
        assert figures.values["frames_dropped"] == 0
        assert figures.values["ratio"] >= 0.95
