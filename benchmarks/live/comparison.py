"""Lookout beside other ways to drive the same model, at growing lengths of one stream.

At each length all contenders stand at the same frame; then they take turns, and each round begins
with another one, so that whatever else the machine does hits all alike.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from math import log

from benchmarks.live.contenders import Parts, chosen, opened
from benchmarks.live.figures import row
from benchmarks.live.rounds import QUESTION, Turn, say, turn
from benchmarks.live.stage import STEP, Stage
from benchmarks.report import Row

_BEGINNING_S = 15.0  # the first length at which one that grows is asked


@dataclass(frozen=True, slots=True)
class Plan:
    """How a comparison is run.

    Args:
        contenders: names, or `all`.
        minutes: lengths of stream.
        seconds: of each real-time phase.
        rounds: turns of each contender at each length.
        tokens: of a long answer.
        slack_s: by how much more than a sampling interval a frame may come late.
        patience_s: longest time to the first token that is waited for.
        watched_minutes: most that is watched on the way from one length to the next.
    """

    contenders: Sequence[str]
    minutes: Sequence[float]
    seconds: float
    rounds: int
    tokens: int
    slack_s: float
    patience_s: float
    watched_minutes: float


@dataclass(slots=True)
class _Entry:
    """A contender in the comparison."""

    stage: Stage
    trials: list[tuple[float, float]] = field(default_factory=list)  # minutes, s to first token
    gave_up: bool = False


async def compare(plan: Plan, parts: Parts) -> AsyncGenerator[list[Row], None]:
    """All figures, one length after the other; says on standard error how far it is.

    Raises:
        ConfigError: if there is no such contender.
        LookoutError: if one failed.
    """
    async with opened(chosen(plan.contenders), parts) as contenders:
        entries = [_Entry(Stage(c, parts.film, plan.slack_s)) for c in contenders]
        for minutes in sorted(plan.minutes):
            excuses = {e.stage.contender.name: await _fill(e, minutes, plan) for e in entries}
            turns = await _take_turns([e for e in entries if not e.gave_up], minutes, plan)
            yield [
                row(minutes, e.stage, turns.get(e.stage.contender.name, []), excuse)
                for e, excuse in zip(entries, excuses.values(), strict=True)
            ]


async def _take_turns(
    entries: Sequence[_Entry], minutes: float, plan: Plan
) -> dict[str, list[Turn]]:
    turns: dict[str, list[Turn]] = {e.stage.contender.name: [] for e in entries}
    for number in range(plan.rounds):
        for place in range(len(entries)):
            stage = entries[(place + number) % len(entries)].stage
            name = stage.contender.name
            _say(f"{minutes:g} min, round {number + 1} of {plan.rounds}: {name}")
            turns[name].append(await turn(stage, plan.seconds, plan.tokens))
    return turns


async def _fill(entry: _Entry, minutes: float, plan: Plan) -> str:
    """Let it watch up to a length; what it says if it gives up before."""
    stage, fps = entry.stage, entry.stage.film.fps
    until = round(minutes * 60 * fps) // STEP * STEP
    if entry.gave_up:
        return _excuse(entry, minutes, plan.patience_s)
    _say(f"{minutes:g} min: {stage.contender.name} watches")
    if not stage.contender.grows:
        await stage.fill(until, round(plan.watched_minutes * 60 * fps))
        return ""
    while stage.number < until:
        here = max(round(_BEGINNING_S * fps), 2 * stage.number) // STEP * STEP
        there = min(here, until)
        if _expected(entry, there / fps / 60) > plan.patience_s:
            entry.gave_up = True
            return _excuse(entry, minutes, plan.patience_s)
        await stage.fill(there)
        said = await say(stage.contender, QUESTION, 1)
        entry.trials.append((stage.minutes, said.ttft_s))
    return ""


def _expected(entry: _Entry, minutes: float) -> float:
    """Seconds to the first token at a length, going on as it grew between the last two trials."""
    if not entry.trials:
        return 0.0
    length, took = entry.trials[-1]
    power = 1.0
    if len(entry.trials) > 1:
        shorter, sooner = entry.trials[-2]
        power = min(2.0, max(1.0, log(took / sooner) / log(length / shorter)))
    return float(took * (minutes / length) ** power)


def _excuse(entry: _Entry, minutes: float, patience_s: float) -> str:
    length, took = entry.trials[-1]
    return (
        f"gave up: about {_expected(entry, minutes):.0f} s to the first token are to be expected, "
        f"more than {patience_s:g}; at {length:.3g} min it took {took:.2g}"
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
