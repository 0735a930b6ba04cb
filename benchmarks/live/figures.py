"""From what was measured to the rows of the table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from benchmarks.live.rounds import Turn
from benchmarks.live.stage import Phase, Stage
from benchmarks.report import Row

COLUMNS = (
    "minutes", "contender", "note", "missed_minutes", "answers", "read_tokens", "ttft_p50_ms",
    "ttft_p95_ms", "ttft_times_lookout", "tokens_per_s_paused", "tokens_per_s_watching",
    "decode_slower_percent", "token_gap_p50_ms", "token_gap_p95_ms", "frames_per_s_idle",
    "frames_per_s_speaking", "frames_due_speaking", "late_percent_idle", "late_percent_speaking",
    "held_bytes", "answer_bytes", "cpu_s_per_s_idle", "cpu_s_per_s_speaking", "same_as_paused",
)  # fmt: skip


def row(minutes: float, stage: Stage, turns: Sequence[Turn], note: str) -> Row:
    """One contender at one length; without turns only what there is to say about it."""
    found: Row = dict.fromkeys(COLUMNS)
    found |= {"minutes": minutes, "contender": stage.contender.name, "note": note}
    if not turns:
        return found
    ttft = [1000 * s for one in turns for s in one.ttft_s]
    gaps = [1000 * s for one in turns for said in one.watching for s in said.gaps_s]
    paused = median(one.paused.tokens_per_s for one in turns)
    watching = median(said.tokens_per_s for one in turns for said in one.watching)
    idle, speaking = [one.idle for one in turns], [one.speaking for one in turns]
    return found | {
        "missed_minutes": stage.missed_s / 60,
        "answers": len(ttft),
        "read_tokens": turns[-1].read_tokens,
        "ttft_p50_ms": percentile(ttft, 0.5),
        "ttft_p95_ms": percentile(ttft, 0.95),
        "tokens_per_s_paused": paused,
        "tokens_per_s_watching": watching,
        "decode_slower_percent": 100 * (1 - watching / paused),
        "token_gap_p50_ms": percentile(gaps, 0.5),
        "token_gap_p95_ms": percentile(gaps, 0.95),
        "frames_per_s_idle": _mean([phase.frames_per_s for phase in idle]),
        "frames_per_s_speaking": _mean([phase.frames_per_s for phase in speaking]),
        "frames_due_speaking": sum(phase.frames for phase in speaking),
        "late_percent_idle": _late(idle),
        "late_percent_speaking": _late(speaking),
        "held_bytes": turns[-1].held_bytes,
        "answer_bytes": turns[-1].answer_bytes,
        "cpu_s_per_s_idle": _mean([phase.cpu_per_s for phase in idle]),
        "cpu_s_per_s_speaking": _mean([phase.cpu_per_s for phase in speaking]),
        "same_as_paused": f"{sum(one.same for one in turns)}/{len(turns)}",
    }


def compared(rows: Sequence[Row], lookout: str) -> list[Row]:
    """The rows, each with its time to the first token over that of Lookout at that length."""
    base = {r["minutes"]: r["ttft_p50_ms"] for r in rows if r["contender"] == lookout}
    for one in rows:
        if one["ttft_p50_ms"] is not None:
            one["ttft_times_lookout"] = one["ttft_p50_ms"] / base[one["minutes"]]
    return list(rows)


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value that `share` of them do not exceed (nearest rank); None of none."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _late(phases: Sequence[Phase]) -> float:
    return 100 * sum(phase.late for phase in phases) / sum(phase.frames for phase in phases)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
