"""How long a comparison is going to take, from a first trial of everybody."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from benchmarks.live.filling import Plan
from benchmarks.live.rounds import IDLE_S, QUESTION, say
from benchmarks.live.stage import STEP, Stage

_WARMING: Final = 4  # frames, and tokens, before anything is timed
_SEEN: Final = 8  # frames of the trial
_SAID: Final = 32  # tokens of the trial


async def expected(stages: Sequence[Stage], plan: Plan) -> str:
    """Let each watch and speak for a moment, and say how long all will take.

    A stream shorter than the trial is not measured: it would be longer afterwards.
    """
    fps = stages[0].film.fps
    if min(plan.minutes) * 60 * fps < _WARMING + _SEEN:
        return "expected: a moment"
    total_s = pairs_s = 0.0
    growing = False
    for stage in stages:
        frame_s, answer_s = await _tried(stage, plan.tokens)
        turn_s = min(plan.seconds, IDLE_S) + plan.seconds + answer_s + 2 * STEP / fps
        total_s += len(plan.minutes) * plan.rounds * turn_s
        if stage.contender.grows:
            growing = True
            continue
        total_s += frame_s * fps * 60 * _watched(plan)
        pairs_s += len(plan.minutes) * plan.pairs * 3 * answer_s
    total_s += min(pairs_s, plan.pairing_s)
    more = ", and what reading everything takes" if growing else ""
    return (
        f"expected: about {total_s / 60:.1f} minutes{more}; {min(pairs_s, plan.pairing_s) / 60:.1f}"
        f" of them for pairs, which are left out beyond {plan.pairing_s / 60:g}"
    )


def _watched(plan: Plan) -> float:
    """Minutes that each watches at full speed on the way to all lengths."""
    lengths = [0.0, *sorted(plan.minutes)]
    ways = [there - here for here, there in pairwise(lengths)]
    return sum(min(way, plan.watched_minutes) for way in ways)


async def _tried(stage: Stage, tokens: int) -> tuple[float, float]:
    """Seconds for a frame, and for a long answer."""
    await stage.fill(_WARMING)
    await say(stage.contender, QUESTION, min(_WARMING, tokens))
    began = time.monotonic()
    await stage.fill(_WARMING + _SEEN)
    frame_s = (time.monotonic() - began) / _SEEN
    said = await say(stage.contender, QUESTION, min(_SAID, tokens))
    return frame_s, said.ttft_s + tokens / said.tokens_per_s
