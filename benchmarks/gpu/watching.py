"""Rows about perception: frames a second, how many cameras, what a camera costs.

All memories are full from the start: they have watched for a day.
"""

from __future__ import annotations

import torch

from benchmarks.gpu.context import Context
from benchmarks.gpu.feeding import LATE_S, Pacer, flood
from benchmarks.gpu.machine import rates
from benchmarks.gpu.rig import PATIENCE_S, Rig
from benchmarks.gpu.roofline import frame_flops
from benchmarks.gpu.scale import DAY_S
from benchmarks.gpu.search import largest
from benchmarks.gpu.verdicts import ALLOCATOR, WANTED_CAMERAS
from benchmarks.quantiles import milliseconds, quantile
from benchmarks.report import Row
from models.quantizing import stored_bytes

NEARLY = 0.97  # of what is due in a window may come into memory after it


def ingest(context: Context, shape: str) -> list[Row]:
    """Frames a second into bounded memories, by budget, for one camera and several."""
    scale, rows = context.scale, []
    capable = rates(context)
    for share in scale.budgets:
        for cameras in (1, scale.streams):
            small = scale.small_capacity
            with context.rig(shape, cameras=cameras, capacity=small, share=share) as rig:
                rig.open(cameras, rig.remembered(DAY_S, scale.camera_fps))
                flood(rig, cameras, 0.0, 0.01)  # kernels are compiled
                flow = flood(rig, cameras, scale.warm_s, scale.window_s)
                per_frame = frame_flops(rig.model, scale.picture, rig.load.budget + 12, small)
                rows.append(
                    {
                        "shape": shape,
                        "share_kept": share,
                        "budget": rig.load.budget,
                        "cameras": cameras,
                        "capacity": small,
                        "frames_per_s": flow.frames_per_s,
                        "segment_p50_ms": milliseconds(flow.waits, 0.5),
                        "segment_p95_ms": milliseconds(flow.waits, 0.95),
                        "gflop_per_frame": per_frame / 1e9,
                        "share_of_matrix_rate": per_frame * flow.frames_per_s / capable.flops,
                        **rig.pace,
                    }
                )
    return rows


def cameras(context: Context, shape: str) -> list[Row]:
    """The largest number of cameras whose lag stays under a second, nineteen times in twenty."""
    scale, tried = context.scale, []
    most = _most(context, shape)
    with context.rig(shape, cameras=most, capacity=scale.small_capacity) as rig:
        held = rig.remembered(DAY_S, scale.camera_fps)
        rig.open(1, held)
        alone = flood(rig, 1, scale.warm_s, scale.window_s / 2)

        def carries(number: int) -> bool:
            rig.open(number, held)
            row = _paced(context, rig, number)
            tried.append({"shape": shape, "fps": scale.camera_fps, **row})
            return bool(row["kept_up"])

        guess = int(alone.frames_per_s / scale.camera_fps)
        found = largest(carries, guess, most, WANTED_CAMERAS)
        first = {"shape": shape, "largest_number_of_cameras": found, "room_for": most, **rig.pace}
    return [first, *tried]


def bytes_of_cameras(context: Context, shape: str) -> list[Row]:
    """Peak bytes with one camera that watches and answers, and with each further one.

    With memories of the usual capacity, and with half of it.
    """
    capacity = context.scale.capacity
    return [_bytes(context, shape, tokens) for tokens in (capacity, capacity // 2)]


def _bytes(context: Context, shape: str, capacity: int) -> Row:
    scale, peaks, pools = context.scale, {}, {}
    for number in (1, 3):
        with context.rig(shape, cameras=number, capacity=capacity) as rig:
            rig.open(number, rig.remembered(DAY_S, scale.camera_fps))
            _begin_peak(context)
            grown = _busy(context, rig, number)
            weights, pools[number] = stored_bytes(rig.model.network), rig.engine.pool.bytes
            peaks[number] = _peak(context, weights + pools[number])
    return {
        "shape": shape,
        "capacity": capacity,
        "first_camera_gb": peaks[1] / 1e9,
        "further_camera_gb": (peaks[3] - peaks[1]) / 2 / 1e9,
        "weights_gb": weights / 1e9,
        "pool_of_first_gb": pools[1] / 1e9,
        "pool_of_further_gb": (pools[3] - pools[1]) / 2 / 1e9,
        "bytes_grown": grown,
        "measured_by": ALLOCATOR if context.device.type == "cuda" else "weights and pool alone",
    }


def _busy(context: Context, rig: Rig, number: int) -> int:
    """Watch and answer; by how many bytes what is held grew when that was done once more."""
    scale, held = context.scale, []
    for _ in range(2):
        heard = rig.ask(0, scale.answer_tokens)
        flood(rig, number, 0.0, scale.window_s / 2)
        heard.wait(PATIENCE_S)
        held.append(context.allocated())
    return held[1] - held[0]


def _paced(context: Context, rig: Rig, number: int) -> Row:
    scale = context.scale
    seconds = 2 * scale.window_s
    with Pacer(rig, number, scale.camera_fps) as pacer:
        _sleep(pacer, 2 * scale.warm_s)
        counted, dropped = len(pacer.lags), pacer.dropped
        _sleep(pacer, seconds)
        lags, lost = pacer.lags[counted:], pacer.dropped - dropped
    due = number * seconds * scale.camera_fps / rig.model.frames_per_step
    p95 = quantile(lags, 0.95)
    return {
        "cameras": number,
        "lag_p50_ms": milliseconds(lags, 0.5),
        "lag_p95_ms": milliseconds(lags, 0.95),
        "steps_dropped": lost,
        "steps_in_memory": len(lags),
        "steps_due": due,
        # Lag grows slowly: who takes in less than what is due falls behind sooner or later.
        "kept_up": bool(p95 is not None and p95 < LATE_S and not lost and len(lags) > NEARLY * due),
    }


def _sleep(pacer: Pacer, seconds: float) -> None:
    """Let it feed for so long, unless it has failed."""
    pacer.wait(seconds)
    if pacer.failure is not None:
        raise pacer.failure


def _most(context: Context, shape: str) -> int:
    """As many cameras as the device has room for, at most as many as are tried."""
    scale = context.scale
    if context.device.type != "cuda":
        return scale.most_cameras
    with context.rig(shape, cameras=1, capacity=scale.small_capacity) as one:
        bytes_of_one = one.engine.pool.bytes
    context.models.tidy()
    free, total = torch.cuda.mem_get_info(context.device)
    room = free - 0.15 * total  # for what is computed, and for others
    return max(1, min(scale.most_cameras, int(room // bytes_of_one)))


def _begin_peak(context: Context) -> None:
    context.models.tidy()
    if context.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(context.device)


def _peak(context: Context, counted: int) -> int:
    if context.device.type != "cuda":
        return counted
    return torch.cuda.max_memory_allocated(context.device)
