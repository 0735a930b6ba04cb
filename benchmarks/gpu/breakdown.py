"""Where a step's time goes: torch's profiler over a window of watching and speaking."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu.context import Context
from benchmarks.gpu.feeding import flood
from benchmarks.gpu.rig import PATIENCE_S, Rig
from benchmarks.gpu.scale import DAY_S
from benchmarks.report import Row

_TOP = 12


def breakdown(context: Context, shape: str) -> list[Row]:
    """The dearest operations while cameras are watched and an answer is given.

    Times are sums over the window, shares are of all that the device, or the host, did itself.
    `stage` rows are ours and hold the others.
    """
    scale = context.scale
    with context.rig(shape, cameras=scale.streams, capacity=scale.small_capacity) as rig:
        rig.open(scale.streams, rig.remembered(DAY_S, scale.camera_fps))
        flood(rig, scale.streams, scale.warm_s, 0.01)
        before = rig.engine.counters
        profiler = _profiler(context)
        with profiler:
            began = time.monotonic()
            _busy(rig, scale.streams, scale.window_s / 4, scale.answer_tokens // 4)
            context.synchronize()
            seconds = time.monotonic() - began
        after = rig.engine.counters
    steps = after.get("steps", 0) - before.get("steps", 0)
    found = profiler.key_averages()
    (context.out / f"{shape}.profile.txt").write_text(
        found.table(sort_by=_column(context), row_limit=60, max_name_column_width=80),
        encoding="utf-8",
    )
    rows = [*_window(list(found), seconds), *_dearest(list(found))]
    return [{"shape": shape, "engine_steps": steps, **row} for row in rows]


def _busy(rig: Rig, cameras: int, seconds: float, tokens: int) -> None:
    heard = rig.ask(0, max(2, tokens))
    flood(rig, cameras, 0.0, seconds)
    heard.wait(PATIENCE_S)


def _profiler(context: Context) -> profile:
    activities = [ProfilerActivity.CPU]
    if context.device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    # The engine computes on a thread of its own.
    settings = torch._C._profiler._ExperimentalConfig(profile_all_threads=True)
    assert threading.current_thread() is threading.main_thread(), "profilers start on the main one"
    return profile(activities=activities, experimental_config=settings, acc_events=True)


def _column(context: Context) -> str:
    return "self_device_time_total" if context.device.type == "cuda" else "self_cpu_time_total"


def _window(events: Sequence[Any], seconds: float) -> list[Row]:
    """How busy the device was, if there is one; what runs side by side counts twice."""
    kernels = [e for e in events if _on_device(e)]
    busy = sum(e.self_device_time_total for e in kernels) / 1e6
    return [{"kind": "window", "what": f"{seconds:.2f} s", "share": busy / seconds}] * bool(kernels)


def _dearest(events: Sequence[Any]) -> list[Row]:
    ours = [e for e in events if str(e.key).startswith("lookout.")]
    rest = [e for e in events if not str(e.key).startswith("lookout.")]
    kernels = [e for e in rest if _on_device(e)]
    calls = [e for e in rest if e.device_type.name == "CPU"]
    stages = [e for e in ours if e.device_type.name == "CPU"]
    return [
        *(_row("stage", e, 0.0, 0.0) for e in stages),
        *_top("device", kernels, "self_device_time_total"),
        *_top("host", calls, "self_cpu_time_total"),
    ]


def _top(kind: str, events: Sequence[Any], column: str) -> list[Row]:
    whole = sum(getattr(e, column) for e in events)
    dearest = sorted(events, key=lambda e: -float(getattr(e, column)))[:_TOP]
    return [_row(kind, e, getattr(e, column), whole) for e in dearest]


def _on_device(event: Any) -> bool:
    return event.device_type.name == "CUDA" and not event.is_user_annotation


def _row(kind: str, event: Any, part: float, whole: float) -> Row:
    return {
        "kind": kind,
        "what": str(event.key)[:80],
        "share": part / whole if whole else None,
        "calls": event.count,
        "device_ms": event.device_time_total / 1000,
        "self_device_ms": event.self_device_time_total / 1000,
        "host_ms": event.cpu_time_total / 1000,
        "self_host_ms": event.self_cpu_time_total / 1000,
    }
