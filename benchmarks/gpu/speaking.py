"""Rows about answers: time to the first token while a camera watches, tokens a second."""

from __future__ import annotations

from benchmarks.gpu.context import Context
from benchmarks.gpu.feeding import Pacer
from benchmarks.gpu.hearing import Heard
from benchmarks.gpu.machine import rates
from benchmarks.gpu.quantiles import milliseconds
from benchmarks.gpu.remembered import watched
from benchmarks.gpu.rig import PATIENCE_S, Rig
from benchmarks.gpu.roofline import decode_bytes
from benchmarks.report import Row
from memory.saving.state import MemoryState

AGES = (("1 minute", 60.0), ("24 hours", 86400.0))


def first_token(context: Context, shape: str) -> list[Row]:
    """Time to the first token at a minute and at a day of memory, while the camera is watched."""
    scale, rows = context.scale, []
    for name, seconds in AGES:
        with context.rig(shape) as rig:
            held = _state(context, rig, seconds)
            rig.open(1, held)
            with Pacer(rig, 1, scale.paced_fps, start=seconds) as pacer:
                for _ in range(3):  # kernels are compiled
                    rig.ask(0, 4).wait(PATIENCE_S)
                heard = []
                for _ in range(scale.questions):
                    heard.append(rig.ask(0, 4).wait(PATIENCE_S))
                    pacer.wait(0.02)
                lags, dropped = list(pacer.lags), pacer.dropped
        waits = [one.first_token_s for one in heard]
        rows.append(
            {
                "shape": shape,
                "memory": name,
                "held_tokens": held.held,
                "position": held.next_position,
                "watched_fps": scale.paced_fps,
                "questions": len(waits),
                "first_token_p50_ms": milliseconds(waits, 0.5),
                "first_token_p95_ms": milliseconds(waits, 0.95),
                "lag_p95_ms": milliseconds(lags, 0.95),
                "steps_dropped": dropped,
            }
        )
    return rows


def decode(context: Context, shape: str) -> list[Row]:
    """Tokens a second of some answers at once, nobody watching; and one while one watches."""
    scale, rows = context.scale, []
    capable = rates(context)
    for answers, graphs in [*((n, True) for n in scale.answers), (1, False)]:
        with context.rig(shape, answers=answers, graphs=graphs) as rig:
            rig.open(1, _state(context, rig, 86400.0))
            rig.ask(0, 4).wait(PATIENCE_S)
            rows.append({"shape": shape, "watched_fps": 0, **_spoken(context, rig, answers)})
    with context.rig(shape) as rig:
        rig.open(1, _state(context, rig, 86400.0))
        with Pacer(rig, 1, scale.paced_fps, start=86400.0):
            rig.ask(0, 4).wait(PATIENCE_S)
            rows.append(
                {"shape": shape, "watched_fps": scale.paced_fps, **_spoken(context, rig, 1)}
            )
    for row in rows:
        least = row["gb_per_token_of_all"] * 1e9 / capable.bytes_per_s
        row["share_of_bandwidth"] = least * row["steps_per_s"]
    return rows


def _spoken(context: Context, rig: Rig, answers: int) -> Row:
    """From when all speak until the first is over."""
    tokens = context.scale.answer_tokens
    heard = [rig.ask(0, tokens) for _ in range(answers)]
    for one in heard:
        one.wait(PATIENCE_S)
    began, ended = max(one.deltas[0] for one in heard), min(one.deltas[-1] for one in heard)
    seconds = max(ended - began, 1e-9)
    said = sum(began < at <= ended for one in heard for at in one.deltas)
    memory = rig.cameras[0].memory
    held = memory.held if memory is not None else 0
    return {
        "answers": answers,
        "graphs": rig.engine.graphed,
        "held_tokens": held,
        "tokens_per_s": said / seconds,
        "steps_per_s": said / seconds / answers,
        "between_tokens_p95_ms": milliseconds(_gaps(heard), 0.95),
        "gb_per_token_of_all": decode_bytes(rig.model, answers, held) / 1e9,
    }


def _state(context: Context, rig: Rig, seconds: float) -> MemoryState:
    scale, load = context.scale, rig.load
    side = max(1, round(rig.model.step_tokens(scale.picture, scale.picture) ** 0.5))
    period = rig.model.frames_per_step / scale.paced_fps
    return watched(
        rig.model,
        seconds=seconds,
        period=period,
        budget=load.budget,
        side=side,
        room=load.capacity,
    )


def _gaps(heard: list[Heard]) -> list[float]:
    return [b - a for one in heard for a, b in zip(one.deltas, one.deltas[1:], strict=False)]
