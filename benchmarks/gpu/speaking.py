"""Rows about answers: time to the first token while a camera watches, tokens a second."""

from __future__ import annotations

from benchmarks.gpu.context import Context
from benchmarks.gpu.feeding import Pacer
from benchmarks.gpu.hearing import Heard
from benchmarks.gpu.machine import rates
from benchmarks.gpu.rig import PATIENCE_S, Rig
from benchmarks.gpu.roofline import decode_bytes
from benchmarks.gpu.scale import DAY_S
from benchmarks.quantiles import milliseconds
from benchmarks.report import Row


def first_token(context: Context, shape: str) -> list[Row]:
    """Time to the first token at some ages of memory, while the camera is watched."""
    scale, rows = context.scale, []
    for name, seconds in scale.ages:
        with context.rig(shape) as rig:
            held = rig.remembered(seconds, scale.paced_fps)
            rig.open(1, held)
            with Pacer(rig, 1, scale.paced_fps) as pacer:
                for _ in range(3):  # kernels are compiled
                    rig.ask(0, 4).wait(PATIENCE_S)
                heard = []
                for _ in range(scale.questions):
                    heard.append(rig.ask(0, 4).wait(PATIENCE_S))
                    pacer.wait(0.02)
                lags, dropped = list(pacer.lags), pacer.dropped
            pace = rig.pace
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
                **pace,
            }
        )
    return rows


def decode(context: Context, shape: str) -> list[Row]:
    """Tokens a second of some answers at once, nobody watching; and one while one watches."""
    scale = context.scale
    rows: list[Row] = []
    capable = rates(context)
    for answers, graphs in [*((n, True) for n in scale.answers), (1, False)]:
        with context.rig(shape, answers=answers, graphs=graphs) as rig:
            rig.open(1, rig.remembered(DAY_S, scale.paced_fps))
            rig.ask(0, 4).wait(PATIENCE_S)
            row: Row = {"shape": shape, "watched_fps": 0, "answers": answers}
            rows.append(row | spoken(rig, answers, scale.answer_tokens))
    with context.rig(shape) as rig:
        rig.open(1, rig.remembered(DAY_S, scale.paced_fps))
        with Pacer(rig, 1, scale.paced_fps):
            rig.ask(0, 4).wait(PATIENCE_S)
            row = {"shape": shape, "watched_fps": scale.paced_fps, "answers": 1}
            rows.append(row | spoken(rig, 1, scale.answer_tokens))
    for row in rows:
        least = row["gb_per_token_of_all"] * 1e9 / capable.bytes_per_s
        row["share_of_bandwidth"] = least * row["steps_per_s"]
    return rows


def spoken(rig: Rig, answers: int, tokens: int) -> Row:
    """Tokens a second from when all answers speak until the first is over.

    Args:
        rig: whose first camera is asked.
        answers: given at once.
        tokens: of each.
    """
    heard = [rig.ask(0, tokens) for _ in range(answers)]
    for one in heard:
        one.wait(PATIENCE_S)
    began, ended = max(one.deltas[0] for one in heard), min(one.deltas[-1] for one in heard)
    seconds = max(ended - began, 1e-9)
    said = sum(began < at <= ended for one in heard for at in one.deltas)
    memory = rig.cameras[0].memory
    held = memory.held if memory is not None else 0
    return {
        "graphs": rig.engine.graphed,
        "held_tokens": held,
        "tokens_per_s": said / seconds,
        "steps_per_s": said / seconds / answers,
        "between_tokens_p95_ms": milliseconds(_gaps(heard), 0.95),
        "gb_per_token_of_all": decode_bytes(rig.model, answers, held) / 1e9,
        **rig.pace,
    }


def _gaps(heard: list[Heard]) -> list[float]:
    return [b - a for one in heard for a, b in zip(one.deltas, one.deltas[1:], strict=False)]
