"""What a session's rows say about the targets, and about compiling and packing. No torch."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from benchmarks.report import Row

MET: Final = "met"
MISSED: Final = "missed"
ALLOCATOR: Final = "allocator"  # what counts bytes on a device
UNMEASURED: Final = "not measured"
WANTED_CAMERAS: Final = 128
_NAMED: Final = {"device": 4, "host": 2}  # entries of the profile

Result = Mapping[str, Any]  # a row's name, status and, if it is done, rows


@dataclass(frozen=True, slots=True)
class Found:
    """What rows say about a target.

    Args:
        value: None if they say nothing.
        note: how it came about, or why there is none.
    """

    value: float | None
    note: str


@dataclass(frozen=True, slots=True)
class Target:
    """What one H200 is to reach with the 8B.

    Args:
        what: is measured.
        wanted: of it, in words.
        holds: compares what was measured with the bound.
        bound: of it.
        row: that measures it, without its shape.
        read: finds it there.
    """

    what: str
    wanted: str
    holds: Callable[[float, float], bool]
    bound: float
    row: str
    read: Callable[[Sequence[Row]], Found]


def targets(shape: str, results: Mapping[str, Result]) -> list[Row]:
    """A row for each target: wanted, measured, met or missed or not measured, and why.

    Args:
        shape: whose rows are judged.
        results: by name.
    """
    profile = _profile(results.get(f"{shape}.breakdown"))
    return [_judged(target, results.get(f"{shape}.{target.row}"), profile) for target in TARGETS]


def variants(shape: str, results: Mapping[str, Result]) -> list[Row]:
    """What each variant says and sees a second, also as a multiple of the model as it is.

    Args:
        shape: whose.
        results: by name.
    """
    begin = f"{shape}.variants."
    named = {name.removeprefix(begin): r for name, r in results.items() if name.startswith(begin)}
    plain: Row = next(iter((named.get("plain") or {}).get("rows") or ()), {})
    return [{"variant": name, **_compared(result, plain)} for name, result in named.items()]


def _compared(result: Result, plain: Row) -> Row:
    if not result.get("rows"):
        return {"skipped": _why_not(result)}
    row: Row = result["rows"][0]
    if "skipped" in row:
        return {"skipped": row["skipped"]}
    found: Row = {"weights_gb": row["weights_gb"]}
    for key in row:
        if key.startswith("tokens_per_s_of_") or key == "frames_per_s":
            found[key] = row[key]
            found[f"{key}_times_plain"] = row[key] / plain[key] if plain.get(key) else None
    return found


def _judged(target: Target, result: Result | None, profile: str) -> Row:
    judged: Row = {"target": target.what, "wanted": target.wanted}
    if result is None or not result.get("rows"):
        return judged | {"measured": None, "verdict": UNMEASURED, "why": _why_not(result)}
    found = target.read(result["rows"])
    if found.value is None:
        return judged | {"measured": None, "verdict": UNMEASURED, "why": found.note}
    judged["measured"] = found.value
    if target.holds(found.value, target.bound):
        return judged | {"verdict": MET, "why": found.note}
    return judged | {"verdict": MISSED, "why": f"{found.note}; {profile}"}


def _why_not(result: Result | None) -> str:
    if result is None:
        return "its row was not asked for, or not reached"
    return f"its row is {result.get('status')}: {result.get('error', 'it says nothing')}"


def _profile(result: Result | None) -> str:
    """The dearest of what ran, in a line."""
    rows: Sequence[Row] = (result or {}).get("rows") or ()
    said = [
        f"the device was busy for {r['share']:.0%} of it" for r in rows if r["kind"] == "window"
    ]
    for kind, most in _NAMED.items():
        known = [r for r in rows if r["kind"] == kind and r["share"] is not None]
        dearest = [f"{r['what']} {r['share']:.0%}" for r in known[:most]]
        if dearest:
            said.append(f"of the {kind}'s time: {', '.join(dearest)}")
    return f"profile: {'; '.join(said)}" if said else "there is no profile"


def _frames(rows: Sequence[Row]) -> Found:
    at = [row for row in rows if row["share_kept"] == 0.25]
    if not at:
        return Found(None, "no quarter was kept")
    best = max(at, key=lambda row: float(row["frames_per_s"]))
    share = f"{best['share_of_matrix_rate']:.0%} of the matrix rate"
    return Found(best["frames_per_s"], f"{share}, {best['cameras']} cameras")


def _cameras(rows: Sequence[Row]) -> Found:
    first, *tried = rows
    note = f"there was room for {first['room_for']}"
    late = [row for row in tried if not row["kept_up"]]
    if late:
        least = min(late, key=lambda row: int(row["cameras"]))
        lag, taken = least["lag_p95_ms"], least["steps_in_memory"] / least["steps_due"]
        said = "no step came in" if lag is None else f"p95 lag {lag:.0f} ms, {taken:.0%} of steps"
        note += f"; with {least['cameras']}: {said}"
    return Found(first["largest_number_of_cameras"], note)


def _first_token(column: str, rows: Sequence[Row]) -> Found:
    mute = [row for row in rows if row[column] is None]
    if mute:  # the others may be the easy ones
        return Found(None, f"no answer was heard with a memory of {mute[0]['memory']}")
    worst = max(rows, key=lambda row: float(row[column]))
    note = f"memory of {worst['memory']}, {worst['questions']} questions, steps of at most "
    return Found(worst[column], f"{note}{worst['step_ms']:g} ms")


def _tokens(rows: Sequence[Row]) -> Found:
    alone = [row for row in rows if row["answers"] == 1 and not row["watched_fps"]]
    if not alone:
        return Found(None, "no single answer was given")
    row = alone[0]  # as the server has it; without graphs comes after
    graphs = "graphs" if row["graphs"] else "no graphs"
    return Found(row["tokens_per_s"], f"{row['share_of_bandwidth']:.0%} of the bandwidth, {graphs}")


def _bytes(column: str, pool: str, rows: Sequence[Row]) -> Found:
    row, *others = rows
    if row["measured_by"] != ALLOCATOR:
        return Found(None, "nothing counts a CPU's bytes")
    parts = f"weights {row['weights_gb']:.3g} GB, " if column == "first_camera_gb" else ""
    note = f"{parts}pool {row[pool]:.3g} GB at capacity {row['capacity']}"
    for other in others:
        note += f"; {other[column]:.3g} GB at capacity {other['capacity']}"
    return Found(row[column], note)


def _growth(rows: Sequence[Row]) -> Found:
    if any(row["measured_by"] != ALLOCATOR for row in rows):
        return Found(None, "nothing counts a CPU's bytes")
    return Found(
        max(row["bytes_grown"] for row in rows),
        "bytes held after the same work twice, with full memories",
    )


TARGETS: Final = (
    Target("frames a second into memory, a quarter kept", "at least 400",
           operator.ge, 400, "ingest", _frames),
    Target("cameras at 2 frames a second with a p95 lag under a second",
           f"at least {WANTED_CAMERAS}", operator.ge, WANTED_CAMERAS, "cameras", _cameras),
    Target("ms to the first token, p50, while 8 frames a second come in", "under 30",
           operator.lt, 30, "first_token", partial(_first_token, "first_token_p50_ms")),
    Target("ms to the first token, p95, while 8 frames a second come in", "under 60",
           operator.lt, 60, "first_token", partial(_first_token, "first_token_p95_ms")),
    Target("tokens a second of a single answer", "at least 180",
           operator.ge, 180, "decode", _tokens),
    Target("GB with the first camera", "at most 18",
           operator.le, 18, "bytes", partial(_bytes, "first_camera_gb", "pool_of_first_gb")),
    Target("GB of each further camera", "at most 1",
           operator.le, 1, "bytes", partial(_bytes, "further_camera_gb", "pool_of_further_gb")),
    Target("bytes grown", "none", operator.le, 0, "bytes", _growth),
)  # fmt: skip
