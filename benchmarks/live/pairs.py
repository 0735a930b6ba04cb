"""What watching costs an answer: the same one with the stream paused, in real time, and paused.

The two paused ones stand around the watched one, so that neither their order nor a machine that
slowly changes its pace counts for either side. What is left is noise, which many pairs average out.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import Random
from typing import Final

from benchmarks.live.rounds import QUESTION, Said, say
from benchmarks.live.stage import STEP, Phase, Stage

_WARMING: Final = 8  # tokens said first, uncounted: others had the machine before


@dataclass(frozen=True, slots=True)
class Pair:
    """A watched answer and the paused ones around it.

    Args:
        before: with the stream paused; reads what `watched` reads.
        watched: while frames come in real time.
        after: with the stream paused again.
        phase: what was watched meanwhile.
    """

    before: Said
    watched: Said
    after: Said
    phase: Phase

    @property
    def slower(self) -> float:
        """By what share fewer tokens are said in a second; below 0 if more are."""
        paused = (sum(self.before.gaps_s) + sum(self.after.gaps_s)) / 2
        return 1 - paused / sum(self.watched.gaps_s)

    @property
    def same(self) -> bool:
        """Whether watching changed no token of the answer."""
        return self.before.ids == self.watched.ids

    @property
    def judged(self) -> tuple[int, int]:
        """Frames due while `watched` was being spoken, and how many of them were late."""
        return self.phase.judged([self.watched.span])


async def pair(stage: Stage, tokens: int, random: Random) -> Pair:
    """One pair.

    The stream runs as if it had before: what moment of a temporal step the answer meets is drawn.

    Args:
        stage: of the contender.
        tokens: of each answer, 2 at least.
        random: draws that moment.
    """
    contender, fps = stage.contender, stage.film.fps
    # The first step is whole some time between the answer's beginning and a step later.
    ahead = (STEP - 1 - random.uniform(0, STEP)) / fps
    await say(contender, QUESTION, min(tokens, _WARMING))
    before = await say(contender, QUESTION, tokens)
    taken = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        speaking = group.create_task(say(contender, QUESTION, tokens, taken))
        await taken.wait()  # it reads what the paused one read
        async with stage.playing(ahead, brief=True) as phase:
            watched = await speaking
    return Pair(before, watched, await say(contender, QUESTION, tokens), phase)
