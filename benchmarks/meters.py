"""Time and memory of a piece of work, measured as its device allows."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch
from torch.profiler import ProfilerActivity, profile


def seconds(device: torch.device, work: Callable[[], object]) -> float:
    """How long it takes.

    On the CPU it is the time of the calling thread, which others on the machine do not lengthen;
    torch must compute on one thread. On a GPU it is the time until the device has done it.
    """
    if device.type == "cpu":
        began = time.thread_time()
        work()
        return time.thread_time() - began
    torch.accelerator.synchronize(device)
    began = time.perf_counter()
    work()
    torch.accelerator.synchronize(device)
    return time.perf_counter() - began


def median_seconds(
    device: torch.device, work: Callable[[], object], *, rounds: int, warm: int = 1
) -> float:
    """The median of some runs, after some that do not count: kernels may have to be compiled."""
    return median([seconds(device, work) for _ in range(warm + rounds)][warm:])


def peak_bytes(device: torch.device, work: Callable[[], object]) -> int:
    """Most bytes of tensors alive at once beyond those before; arrays of NumPy are not seen."""
    if device.type != "cpu":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    # Kineto notes every allocation with its sign; sums per operator would miss what overlaps.
    found = profiler.profiler.kineto_results.events()
    events = sorted((e for e in found if e.name() == "[memory]"), key=lambda e: e.start_ns())
    now = peak = 0
    for event in events:
        now += event.nbytes()
        peak = max(peak, now)
    return peak
