"""Lookout beside other ways to drive the same model, at growing lengths of one stream.

At each length all contenders stand at the same frame; then they take turns, and each round begins
with another one, so that whatever else the machine does hits all alike.
"""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncGenerator, Sequence
from random import Random

from benchmarks.live.contenders import Parts, chosen, opened
from benchmarks.live.expected import expected
from benchmarks.live.figures import Found
from benchmarks.live.filling import Entry, Plan
from benchmarks.live.pairs import Pair, pair
from benchmarks.live.rounds import Turn, turn
from benchmarks.live.stage import Stage


async def compare(plan: Plan, parts: Parts) -> AsyncGenerator[list[Found], None]:
    """What was found at one length after the other.

    Says on standard error how long it is expected to take, and how far it is.

    Raises:
        ConfigError: if there is no such contender.
        LookoutError: if one failed.
    """
    async with opened(chosen(plan.contenders), parts) as contenders:
        entries = [Entry(Stage(c, parts.film, plan.slack_s)) for c in contenders]
        _say(await expected([entry.stage for entry in entries], plan))
        random, left_s = Random(0), plan.pairing_s
        for place, minutes in enumerate(sorted(plan.minutes)):
            for entry in entries:
                _say(f"{minutes:g} min: {entry.stage.contender.name} watches")
                await entry.fill(minutes, plan)
            turns = await _take_turns(entries, minutes, plan)
            began = time.monotonic()
            until = began + left_s / (len(plan.minutes) - place)
            pairs = await _take_pairs(entries, minutes, plan, random, until)
            left_s -= time.monotonic() - began
            yield [_found(entry, minutes, turns, pairs) for entry in entries]


def _found(
    entry: Entry, minutes: float, turns: dict[str, list[Turn]], pairs: dict[str, list[Pair]]
) -> Found:
    name, missed_s = entry.stage.contender.name, entry.stage.missed_s
    return Found(minutes, name, missed_s, turns.get(name, []), pairs.get(name, []), entry.excuse)


async def _take_turns(
    entries: Sequence[Entry], minutes: float, plan: Plan
) -> dict[str, list[Turn]]:
    stages = [entry.stage for entry in entries if not entry.excuse]
    turns: dict[str, list[Turn]] = {stage.contender.name: [] for stage in stages}
    for number in range(plan.rounds):
        for stage in _rotated(stages, number):
            name = stage.contender.name
            _say(f"{minutes:g} min, round {number + 1} of {plan.rounds}: {name}")
            turns[name].append(await turn(stage, plan.seconds, plan.tokens))
    return turns


async def _take_pairs(
    entries: Sequence[Entry], minutes: float, plan: Plan, random: Random, until: float
) -> dict[str, list[Pair]]:
    """One pair of each at least, then as many as there is time for.

    Who rereads ever more is not asked: what takes it its time is reading, not watching.
    """
    stages = [entry.stage for entry in entries if not entry.stage.contender.grows]
    pairs: dict[str, list[Pair]] = {stage.contender.name: [] for stage in stages}
    for number in range(plan.pairs):
        if number and time.monotonic() >= until:
            _say(f"{minutes:g} min: time is up after {number} of {plan.pairs} pairs")
            break
        if number % 10 == 0:
            _say(f"{minutes:g} min: pair {number + 1} of {plan.pairs}")
        for stage in _rotated(stages, number):
            pairs[stage.contender.name].append(await pair(stage, plan.tokens, random))
    return pairs


def _rotated(stages: Sequence[Stage], number: int) -> Sequence[Stage]:
    """All of them; another one is first each time."""
    first = number % len(stages) if stages else 0
    return [*stages[first:], *stages[:first]]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
