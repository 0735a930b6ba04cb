"""What one turn of a contender measures: idle, an answer with the stream paused, speaking."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from benchmarks.live.contender import Contender
from benchmarks.live.stage import Phase, Stage

QUESTION: Final = "What do you see?"
SHORT: Final = ("How many objects are there?", "What appeared last?", "What do you see?")
IDLE_S: Final = 20.0  # seconds of watching alone at most: nothing is learnt from more
_PROBES: Final = 8  # short questions after each long answer
_MOST: Final = 32  # of a turn, about; the rest of it is for long answers
_LEAST: Final = 3  # of them, however long the answer took
_PAUSE_S: Final = 0.03  # before each of them, so that they meet the watching at any moment


@dataclass(frozen=True, slots=True)
class Said:
    """One answer as it was heard."""

    ids: tuple[int, ...]
    asked: float  # monotonic
    ttft_s: float
    gaps_s: tuple[float, ...]  # between tokens

    @property
    def tokens_per_s(self) -> float:
        """After the first one."""
        return len(self.gaps_s) / sum(self.gaps_s)

    @property
    def span(self) -> tuple[float, float]:
        """From the question to the last token, monotonic."""
        return self.asked, self.asked + self.ttft_s + sum(self.gaps_s)


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn: all that it measured."""

    idle: Phase
    speaking: Phase
    paused: Said  # the long answer while no frame came
    watching: tuple[Said, ...]  # long answers while frames came; the first read as `paused` did
    ttft_s: tuple[float, ...]  # of long and short answers while frames came
    read_tokens: int
    held_bytes: int
    answer_bytes: int

    @property
    def same(self) -> bool:
        """Whether watching changed no token of the answer."""
        return self.paused.ids == self.watching[0].ids

    @property
    def judged(self) -> tuple[int, int]:
        """Frames due while a long answer was being spoken, and how many of them were late."""
        return self.speaking.judged([said.span for said in self.watching])


async def turn(stage: Stage, seconds: float, tokens: int) -> Turn:
    """Let a contender watch alone, answer alone, and do both.

    Args:
        stage: of the contender.
        seconds: of watching alone, `IDLE_S` at most; of both at least as long, and until the
            answer has ended.
        tokens: of a long answer, 2 at least.
    """
    contender = stage.contender
    async with stage.playing() as idle:
        await asyncio.sleep(min(seconds, IDLE_S))
    paused = await say(contender, QUESTION, tokens)
    read, own = contender.read_tokens, contender.answer_bytes
    taken = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(say(contender, QUESTION, tokens, taken))
        await taken.wait()  # it reads what the paused one read
        async with stage.playing() as speaking:
            end = time.monotonic() + seconds
            watching = [await first]
            short = await _probe(contender, 0, end)
            while time.monotonic() < end:
                watching.append(await say(contender, QUESTION, tokens))
                if len(short) < _MOST:
                    short += await _probe(contender, len(short), end)
    return Turn(
        idle=idle,
        speaking=speaking,
        paused=paused,
        watching=tuple(watching),
        ttft_s=(*(said.ttft_s for said in watching), *short),
        read_tokens=read,
        held_bytes=contender.held_bytes,
        answer_bytes=own,
    )


async def say(
    contender: Contender, question: str, tokens: int, taken: asyncio.Event | None = None
) -> Said:
    """Ask and listen; `taken` is set as soon as it is settled what the answer reads."""
    ids, times = [], []
    asked = time.monotonic()
    async with contender.ask(question, tokens) as words:
        if taken is not None:
            taken.set()
        async for token in words:
            times.append(time.monotonic())
            ids.append(token)
    gaps = tuple(later - earlier for earlier, later in pairwise(times))
    return Said(tuple(ids), asked, times[0] - asked, gaps)


async def _probe(contender: Contender, number: int, end: float) -> list[float]:
    """Times to the first token of a few short questions; only the first few come after `end`."""
    found: list[float] = []
    for place in range(number, number + _PROBES):
        await asyncio.sleep(_PAUSE_S)
        if time.monotonic() >= end and len(found) >= _LEAST:
            break
        found.append((await say(contender, SHORT[place % len(SHORT)], 1)).ttft_s)
    return found
