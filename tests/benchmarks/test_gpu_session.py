"""The GPU benchmark as it runs where there is no GPU: every row, tried with a tiny model."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from benchmarks.gpu.rows import START_S, essential, rows
from benchmarks.gpu.scale import DRY, FULL
from benchmarks.gpu.variants import VARIANTS
from benchmarks.gpu.verdicts import TARGETS
from benchmarks.gpu_session import Session, main
from stream.configuration import load_settings


@pytest.mark.timeout(600)
def test_a_dry_run_goes_through_every_row_and_writes_tables_of_all(tmp_path: Path) -> None:
    out = tmp_path / "session"
    assert main(["--out", str(out), "--dry-run"]) == 0
    whole = json.loads((out / "results.json").read_text())
    assert [result["name"] for result in whole["results"]] == list(rows(DRY))
    for result in whole["results"]:
        assert result["status"] == "done" and result["rows"], result
        assert result["dry_run"] and result["device"] == "cpu"
        assert json.loads((out / f"{result['name']}.json").read_text()) == result
    by_name = {result["name"]: result["rows"] for result in whole["results"]}
    assert all(row["frames_per_s"] > 0 for row in by_name["tiny.ingest"])
    assert all(row["first_token_p95_ms"] > 0 for row in by_name["tiny.first_token"])
    assert {row["memory"] for row in by_name["tiny.first_token"]} == {"1 minute", "24 hours"}
    assert all(row["tokens_per_s"] > 0 for row in by_name["tiny.decode"])
    assert all(row["same"] for row in by_name["pruning"])
    assert all(row["same_tokens"] and row["same_answer"] for row in by_name["memories"])
    assert by_name["tests.device"][0]["passed"]
    assert all(row["step_ms"] == DRY.step_ms for row in by_name["tiny.ingest"])
    assert all(row["ms_per_step"] > 0 for row in by_name["tiny.ingest"]), "steps were not measured"
    for name in ("plain", "compiled"):
        (row,) = by_name[f"tiny.variants.{name}"]
        assert row["tokens_per_s_of_1"] > 0 and row["frames_per_s"] > 0
    for name in VARIANTS:
        (row,) = by_name[f"tiny.variants.{name}"]
        assert "skipped" in row or row["weights_gb"] > 0
    assert len(whole["targets"]) == len(TARGETS)
    assert [row["variant"] for row in whole["variants"]] == list(VARIANTS)
    table = (out / "results.md").read_text()
    assert all(f"## {name}" in table for name in by_name)
    assert "A dry run: its figures say nothing" in table
    assert "| at least 400 |" in table and "| compiled |" in table


@pytest.mark.timeout(600)
def test_a_row_whose_process_dies_is_told_so_and_the_others_are_measured(tmp_path: Path) -> None:
    passed = ["--out", str(tmp_path), "--dry-run"]
    session = Session(
        tmp_path, {"no-such-row": 100, "machine": 100}, "tiny", time.monotonic() + 500, passed
    )
    session.run()
    assert session.results["no-such-row"]["status"] == "failed"
    assert "status 1" in session.results["no-such-row"]["error"]
    assert session.results["machine"]["status"] == "done"


@pytest.mark.timeout(600)
def test_a_row_that_takes_longer_than_it_may_is_ended_and_the_next_one_measured(tmp_path) -> None:
    passed = ["--out", str(tmp_path), "--dry-run"]
    limits = {"tiny.ingest": 0.0, "machine": 100}
    session = Session(tmp_path, limits, "tiny", time.monotonic() + 100, passed)
    session.run()
    assert session.results["tiny.ingest"]["status"] == "failed"
    assert "longer than 0 s" in session.results["tiny.ingest"]["error"]
    assert session.results["machine"]["status"] == "done"


def test_what_no_time_is_left_for_is_skipped_and_said(tmp_path: Path) -> None:
    session = Session(tmp_path, {"machine": 100}, "tiny", time.monotonic(), [])
    session.run()
    assert session.results["machine"]["status"] == "skipped"
    assert "no time" in (tmp_path / "results.md").read_text()


def test_rows_are_chosen_by_name_by_end_and_by_shape(tmp_path: Path, capsys) -> None:
    assert main(["--out", str(tmp_path), "--dry-run", "--only", "nonsense"]) == 2
    assert "tiny.ingest" in capsys.readouterr().err


def test_the_full_session_has_a_row_of_everything_that_is_asked_of_the_largest_shape() -> None:
    names = list(rows(FULL))
    for what in ("ingest", "first_token", "decode", "cameras", "bytes", "breakdown"):
        assert f"qwen3-vl-8b.{what}" in names
    assert "qwen3-vl-2b.ingest" in names and "qwen3-vl-4b.decode" in names


def test_what_a_session_must_not_end_without_is_expected_to_fit_into_nine_minutes() -> None:
    planned = essential(FULL)
    assert START_S + sum(row.seconds for row in planned.values()) <= 9 * 60 - 10
    assert all(row.limit_s > START_S + row.seconds for row in rows(FULL).values())
    assert list(rows(FULL))[: len(planned)] == list(planned), "the least important come last"
    for shape in FULL.shapes:
        assert all(f"{shape}.{what}" in planned for what in ("ingest", "first_token", "decode"))
    assert "video" in planned and f"{FULL.shapes[0]}.variants.compiled" in planned


def test_the_engine_is_measured_as_the_server_composes_it_for_real_cameras() -> None:
    served = load_settings(["qwen3-vl"])
    assert FULL.picture**2 == served.image.max_pixels
    assert (FULL.capacity, FULL.page) == (served.memory.capacity, served.memory.page_size)
    assert FULL.segment_steps == served.segment.max_steps
    assert FULL.camera_fps == served.sampling.fps
    engine = served.engine
    assert (FULL.prefill_tokens, FULL.encode_tokens) == (
        engine.prefill_tokens,
        engine.encode_tokens,
    )
    assert FULL.step_ms == engine.step_ms and engine.graphs
