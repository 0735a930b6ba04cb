"""Targets are judged by what rows say: met, missed with the profile, or not measured and why."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.gpu.verdicts import MET, MISSED, UNMEASURED, targets, variants

SHAPE = "qwen3-vl-8b"
PROFILE = [
    {"kind": "window", "what": "1.00 s", "share": 0.62},
    {"kind": "stage", "what": "lookout.decode", "share": None},
    {"kind": "device", "what": "gemm", "share": 0.41},
    {"kind": "device", "what": "attend_chunk", "share": 0.2},
    {"kind": "host", "what": "cudaLaunchKernel", "share": 0.5},
]
FRAMES, CAMERAS, P50, P95, TOKENS, FIRST, FURTHER, GROWN = range(8)  # in order


def done(what: str, *rows: dict[str, Any]) -> dict[str, dict[str, Any]]:
    name = f"{SHAPE}.{what}"
    return {name: {"name": name, "status": "done", "rows": list(rows)}}


def session(*, good: bool) -> dict[str, dict[str, Any]]:
    """All rows that targets are read from, with figures all on one side of the bounds."""
    step = {"step_ms": 50.0, "questions": 40}
    return (
        done("ingest",
             {"share_kept": 1.0, "frames_per_s": 900.0, "share_of_matrix_rate": 0.5, "cameras": 32},
             {"share_kept": 0.25, "frames_per_s": 90.0, "share_of_matrix_rate": 0.1, "cameras": 1},
             {"share_kept": 0.25, "frames_per_s": 400.0 if good else 399.0,
              "share_of_matrix_rate": 0.4, "cameras": 32})
        | done("cameras",
               {"largest_number_of_cameras": 128 if good else 120, "room_for": 192},
               {"cameras": 180, "kept_up": False, "lag_p95_ms": 3000.0, "steps_in_memory": 50,
                "steps_due": 180.0},
               {"cameras": 132, "kept_up": False, "lag_p95_ms": 1234.0, "steps_in_memory": 99,
                "steps_due": 132.0})
        | done("first_token",
               step | {"memory": "1 minute", "first_token_p50_ms": 9.0, "first_token_p95_ms": 12.0},
               step | {"memory": "24 hours", "first_token_p50_ms": 29.9 if good else 30.0,
                       "first_token_p95_ms": 59.9 if good else 60.0})
        | done("decode",
               {"answers": 8, "watched_fps": 0, "tokens_per_s": 1.0, "share_of_bandwidth": 0.1,
                "graphs": True},
               {"answers": 1, "watched_fps": 0, "tokens_per_s": 180.0 if good else 179.0,
                "share_of_bandwidth": 0.8, "graphs": True},
               {"answers": 1, "watched_fps": 0, "tokens_per_s": 40.0, "share_of_bandwidth": 0.2,
                "graphs": False},
               {"answers": 1, "watched_fps": 8.0, "tokens_per_s": 100.0, "share_of_bandwidth": 0.4,
                "graphs": True})
        | done("bytes",
               {"measured_by": "allocator", "first_camera_gb": 18.0 if good else 20.5,
                "further_camera_gb": 1.0 if good else 1.36, "weights_gb": 17.5, "capacity": 8192,
                "pool_of_first_gb": 2.6, "pool_of_further_gb": 1.36,
                "bytes_grown": 0},
               {"measured_by": "allocator", "first_camera_gb": 17.9, "further_camera_gb": 0.7,
                "weights_gb": 17.5, "capacity": 4096, "pool_of_first_gb": 1.3,
                "pool_of_further_gb": 0.7, "bytes_grown": 0 if good else 512})
        | done("breakdown", *PROFILE)
    )  # fmt: skip


def test_what_is_at_its_bound_is_met() -> None:
    judged = targets(SHAPE, session(good=True))
    assert [row["verdict"] for row in judged] == [MET] * 8
    assert [row["measured"] for row in judged] == [400.0, 128, 29.9, 59.9, 180.0, 18.0, 1.0, 0]


def test_what_is_beyond_its_bound_is_missed_and_the_profile_says_why() -> None:
    judged = targets(SHAPE, session(good=False))
    assert [row["verdict"] for row in judged] == [MISSED] * 8
    assert all("gemm 41%, attend_chunk 20%" in row["why"] for row in judged)
    assert all("busy for 62%" in row["why"] for row in judged)
    assert all("of the host's time: cudaLaunchKernel 50%" in row["why"] for row in judged)
    assert "40% of the matrix rate, 32 cameras" in judged[FRAMES]["why"]
    assert "with 132: p95 lag 1234 ms, 75% of steps" in judged[CAMERAS]["why"]
    assert "memory of 24 hours" in judged[P50]["why"] and "50 ms" in judged[P95]["why"]
    assert "80% of the bandwidth, graphs" in judged[TOKENS]["why"]
    assert "weights 17.5 GB, pool 2.6 GB at capacity 8192" in judged[FIRST]["why"]
    assert "17.9 GB at capacity 4096" in judged[FIRST]["why"]
    assert "weights" not in judged[FURTHER]["why"] and "1.36 GB" in judged[FURTHER]["why"]


def test_each_target_is_judged_by_its_own_row() -> None:
    good = session(good=True)
    for what, missed in {
        "ingest": [FRAMES], "cameras": [CAMERAS], "first_token": [P50, P95], "decode": [TOKENS],
        "bytes": [FIRST, FURTHER, GROWN],
    }.items():  # fmt: skip
        name = f"{SHAPE}.{what}"
        mixed = good | {name: session(good=False)[name]}
        verdicts = [row["verdict"] for row in targets(SHAPE, mixed)]
        assert [n for n, verdict in enumerate(verdicts) if verdict != MET] == missed


def test_what_was_not_run_or_failed_is_not_measured_and_says_so() -> None:
    assert all(row["verdict"] == UNMEASURED for row in targets(SHAPE, {}))
    assert all("not asked for" in row["why"] for row in targets(SHAPE, {}))
    name = f"{SHAPE}.decode"
    failed = {"name": name, "status": "failed", "error": "EngineDead: no"}
    judged = targets(SHAPE, session(good=True) | {name: failed})
    assert judged[TOKENS]["verdict"] == UNMEASURED and judged[TOKENS]["measured"] is None
    assert judged[TOKENS]["why"] == "its row is failed: EngineDead: no"
    assert targets("qwen3-vl-2b", session(good=True))[FRAMES]["verdict"] == UNMEASURED


def test_rows_that_hold_nothing_to_judge_are_not_measured() -> None:
    bare = (
        done("ingest", {"share_kept": 1.0, "frames_per_s": 900.0})
        | done(
            "first_token", {"memory": "", "first_token_p50_ms": None, "first_token_p95_ms": None}
        )
        | done("decode", {"answers": 8, "watched_fps": 0})
        | done("bytes", {"measured_by": "weights and pool alone", "bytes_grown": 0})
    )
    assert [row["verdict"] for row in targets(SHAPE, bare)] == [UNMEASURED] * 8


def test_a_memory_with_which_no_answer_was_heard_is_not_hidden_behind_an_easier_one() -> None:
    results = session(good=True)
    rows = results[f"{SHAPE}.first_token"]["rows"]
    rows[1] |= {"first_token_p50_ms": None, "first_token_p95_ms": None}
    judged = targets(SHAPE, results)
    assert [judged[n]["verdict"] for n in (P50, P95)] == [UNMEASURED] * 2
    assert judged[P50]["why"] == "no answer was heard with a memory of 24 hours"


def test_what_of_the_profile_has_no_share_is_left_out() -> None:
    results = session(good=False)
    results[f"{SHAPE}.breakdown"]["rows"] = [{"kind": "host", "what": "x", "share": None}]
    assert "there is no profile" in targets(SHAPE, results)[FRAMES]["why"]


def test_without_a_profile_a_miss_says_that_there_is_none() -> None:
    results = session(good=False)
    del results[f"{SHAPE}.breakdown"]
    assert all("there is no profile" in row["why"] for row in targets(SHAPE, results))


def test_cameras_of_which_no_step_came_in_are_told_so() -> None:
    none = {"cameras": 2, "kept_up": False, "lag_p95_ms": None, "steps_in_memory": 0}
    results = done(
        "cameras", {"largest_number_of_cameras": 0, "room_for": 2}, none | {"steps_due": 4.0}
    )
    assert "with 2: no step came in" in targets(SHAPE, results)[CAMERAS]["why"]


def test_variants_stand_beside_the_model_as_it_is() -> None:
    def made(name: str, **row: Any) -> dict[str, dict[str, Any]]:
        return done(f"variants.{name}", {"shape": SHAPE, "variant": name, **row})

    results = (
        made("plain", weights_gb=17.5, tokens_per_s_of_1=150.0, tokens_per_s_of_8=1000.0,
             frames_per_s=400.0)
        | made("int8", weights_gb=10.0, tokens_per_s_of_1=75.0, tokens_per_s_of_8=1100.0,
               frames_per_s=300.0)
        | made("int4", skipped="needs mslk")
        | {f"{SHAPE}.variants.fp8": {"status": "failed", "error": "it hung"}}
    )  # fmt: skip
    plain, int8, int4, fp8 = variants(SHAPE, results)
    assert plain["tokens_per_s_of_1_times_plain"] == 1
    assert int8["tokens_per_s_of_1_times_plain"] == 0.5
    assert int8["tokens_per_s_of_8_times_plain"] == pytest.approx(1.1)
    assert int8["frames_per_s_times_plain"] == 0.75 and int8["weights_gb"] == 10.0
    assert int4 == {"variant": "int4", "skipped": "needs mslk"}
    assert fp8 == {"variant": "fp8", "skipped": "its row is failed: it hung"}
    del results[f"{SHAPE}.variants.plain"]
    assert variants(SHAPE, results)[0]["frames_per_s_times_plain"] is None
    assert variants(SHAPE, {}) == []
