"""From what was measured to the rows of the tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.live.intervals import median_interval, share_interval
from benchmarks.live.pairs import Pair
from benchmarks.live.rounds import Said, Turn
from benchmarks.live.stage import Phase
from benchmarks.quantiles import quantile
from benchmarks.report import Row

COLUMNS = (
    "minutes", "contender", "note", "missed_minutes", "answers", "read_tokens", "ttft_p50_ms",
    "ttft_p95_ms", "ttft_times_lookout", "tokens_per_s_paused", "tokens_per_s_watching", "pairs",
    "decode_slower_percent", "decode_slower_percent_low", "decode_slower_percent_high",
    "token_gap_p50_ms", "token_gap_p95_ms", "frames_per_s_idle", "frames_per_s_speaking",
    "frames_due_speaking", "late_percent_idle", "late_percent_speaking", "long_frames_due",
    "long_frames_late", "long_late_percent", "long_late_percent_low", "long_late_percent_high",
    "held_bytes", "answer_bytes", "cpu_s_per_s_idle", "cpu_s_per_s_speaking", "same_as_paused",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured of one contender at one length.

    Args:
        minutes: of the stream.
        contender: its name.
        missed_s: of the stream so far.
        turns: none if it gave up.
        pairs: none if it is not measured in pairs.
        note: what there is to say about it.
    """

    minutes: float
    contender: str
    missed_s: float
    turns: Sequence[Turn]
    pairs: Sequence[Pair]
    note: str


def row(found: Found) -> Row:
    """One contender at one length; without turns only what there is to say about it."""
    made: Row = dict.fromkeys(COLUMNS)
    made |= {"minutes": found.minutes, "contender": found.contender, "note": found.note}
    if not found.turns:
        return made
    turns, last = found.turns, found.turns[-1]
    ttft = [1000 * s for one in turns for s in one.ttft_s]
    made |= {
        "missed_minutes": found.missed_s / 60,
        "answers": len(ttft),
        "read_tokens": last.read_tokens,
        "ttft_p50_ms": quantile(ttft, 0.5),
        "ttft_p95_ms": quantile(ttft, 0.95),
        "held_bytes": last.held_bytes,
        "answer_bytes": last.answer_bytes,
    }
    return made | _watching(found.turns) | _speaking([found])


def total(founds: Sequence[Found]) -> Row:
    """One contender over all lengths: what takes many pairs and many frames to be told."""
    name = founds[0].contender
    return {"contender": name, "lengths": sum(bool(f.turns) for f in founds)} | _speaking(founds)


def compared(rows: Sequence[Row], lookout: str) -> list[Row]:
    """The rows, each with its time to the first token over that of Lookout at that length."""
    base = {r["minutes"]: r["ttft_p50_ms"] for r in rows if r["contender"] == lookout}
    for one in rows:
        if one["ttft_p50_ms"] is not None:
            one["ttft_times_lookout"] = one["ttft_p50_ms"] / base[one["minutes"]]
    return list(rows)


def _watching(turns: Sequence[Turn]) -> Row:
    """Idle beside speaking, in phases of whole temporal steps."""
    idle, speaking = [one.idle for one in turns], [one.speaking for one in turns]
    return {
        "frames_per_s_idle": _mean([phase.frames_per_s for phase in idle]),
        "frames_per_s_speaking": _mean([phase.frames_per_s for phase in speaking]),
        "frames_due_speaking": sum(phase.frames for phase in speaking),
        "late_percent_idle": _late_percent(idle),
        "late_percent_speaking": _late_percent(speaking),
        "cpu_s_per_s_idle": _mean([phase.cpu_per_s for phase in idle]),
        "cpu_s_per_s_speaking": _mean([phase.cpu_per_s for phase in speaking]),
    }


def _speaking(founds: Sequence[Found]) -> Row:
    """What turns and pairs say together about long answers while frames come."""
    turns = [one for found in founds for one in found.turns]
    pairs = [one for found in founds for one in found.pairs]
    paused = [one.paused for one in turns] + [s for one in pairs for s in (one.before, one.after)]
    watching = [s for one in turns for s in one.watching] + [one.watched for one in pairs]
    gaps = [1000 * s for said in watching for s in said.gaps_s]
    same = sum(one.same for one in turns) + sum(one.same for one in pairs)
    return {
        "tokens_per_s_paused": _rate(paused),
        "tokens_per_s_watching": _rate(watching),
        "token_gap_p50_ms": quantile(gaps, 0.5),
        "token_gap_p95_ms": quantile(gaps, 0.95),
        "same_as_paused": f"{same}/{len(turns) + len(pairs)}",
        **_slower(pairs),
        **_late([one.judged for one in turns] + [one.judged for one in pairs]),
    }


def _slower(pairs: Sequence[Pair]) -> Row:
    if not pairs:
        return {}
    slower = [100 * one.slower for one in pairs]
    low, high = median_interval(slower)
    return {
        "pairs": len(pairs),
        "decode_slower_percent": median(slower),
        "decode_slower_percent_low": low,
        "decode_slower_percent_high": high,
    }


def _late(judged: Sequence[tuple[int, int]]) -> Row:
    due, late = sum(due for due, _ in judged), sum(late for _, late in judged)
    low, high = share_interval(late, due)
    return {
        "long_frames_due": due,
        "long_frames_late": late,
        "long_late_percent": 100 * late / due if due else None,
        "long_late_percent_low": 100 * low,
        "long_late_percent_high": 100 * high,
    }


def _late_percent(phases: Sequence[Phase]) -> float:
    return 100 * sum(phase.late for phase in phases) / sum(phase.frames for phase in phases)


def _rate(said: Sequence[Said]) -> float | None:
    return median(one.tokens_per_s for one in said) if said else None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
