"""Where a step's time goes: torch's profiler over a window of watching and speaking."""

from __future__ import annotations

import threading
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu.context import Context
from benchmarks.gpu.feeding import flood
from benchmarks.gpu.rig import PATIENCE_S, Rig
from benchmarks.report import Row

_TOP = 12


def breakdown(context: Context, shape: str) -> list[Row]:
    """The dearest operations while cameras are watched and an answer is given.

    Times are sums over the window. `stage` rows are ours and hold the others.
    """
    scale = context.scale
    with context.rig(shape, cameras=scale.streams, capacity=scale.small_capacity) as rig:
        rig.open(scale.streams)
        flood(rig, scale.streams, scale.warm_s, 0.01)
        before = rig.engine.counters
        profiler = _profiler(context)
        with profiler:
            _busy(rig, scale.streams, scale.window_s / 4, scale.answer_tokens // 4)
            context.synchronize()
        after = rig.engine.counters
    steps = after.get("steps", 0) - before.get("steps", 0)
    found = profiler.key_averages()
    (context.out / f"{shape}.profile.txt").write_text(
        found.table(sort_by=_column(context), row_limit=60, max_name_column_width=80),
        encoding="utf-8",
    )
    return [
        {"shape": shape, "kind": kind, "what": str(e.key)[:80], **_times(e, steps)}
        for kind, e in _dearest(context, list(found))
    ]


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
    return "self_cuda_time_total" if context.device.type == "cuda" else "self_cpu_time_total"


def _dearest(context: Context, events: list[Any]) -> list[tuple[str, Any]]:
    stages = [("stage", e) for e in events if str(e.key).startswith("lookout.")]
    rest = [e for e in events if not str(e.key).startswith("lookout.")]
    host = sorted(rest, key=lambda e: -e.self_cpu_time_total)[:_TOP]
    device: list[Any] = []
    if context.device.type == "cuda":
        device = sorted(rest, key=lambda e: -e.self_device_time_total)[:_TOP]
    return [*stages, *(("device", e) for e in device), *(("host", e) for e in host)]


def _times(event: Any, steps: int) -> Row:
    return {
        "calls": event.count,
        "device_ms": event.device_time_total / 1000,
        "self_device_ms": event.self_device_time_total / 1000,
        "host_ms": event.cpu_time_total / 1000,
        "self_host_ms": event.self_cpu_time_total / 1000,
        "engine_steps": steps,
    }
