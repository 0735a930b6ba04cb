"""The GPU benchmark as it runs where there is no GPU: every row, tried with a tiny model."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from benchmarks.gpu.quantiles import quantile
from benchmarks.gpu.rows import rows
from benchmarks.gpu.scale import DRY, FULL
from benchmarks.gpu_session import Session, main


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
    table = (out / "results.md").read_text()
    assert all(f"## {name}" in table for name in by_name)


@pytest.mark.timeout(600)
def test_a_row_whose_process_dies_is_told_so_and_the_others_are_measured(tmp_path: Path) -> None:
    passed = ["--out", str(tmp_path), "--dry-run"]
    session = Session(tmp_path, ["no-such-row", "machine"], time.monotonic() + 500, passed)
    session.run()
    assert session.results["no-such-row"]["status"] == "failed"
    assert "status 1" in session.results["no-such-row"]["error"]
    assert session.results["machine"]["status"] == "done"


def test_what_no_time_is_left_for_is_skipped_and_said(tmp_path: Path) -> None:
    session = Session(tmp_path, ["machine"], time.monotonic(), [])
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


@pytest.mark.parametrize(("share", "wanted"), [(0.5, 2.0), (0.95, 4.0), (0.25, 1.0)])
def test_a_quantile_is_one_of_the_values(share: float, wanted: float) -> None:
    assert quantile([4.0, 1.0, 3.0, 2.0], share) == wanted
    assert quantile([], share) is None
