"""From one length of a stream to the next, as far as a contender goes along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log
from typing import Final

from benchmarks.live.rounds import QUESTION, say
from benchmarks.live.stage import STEP, Stage

_BEGINNING_S: Final = 15.0  # the first length at which one that grows is asked


@dataclass(frozen=True, slots=True)
class Plan:
    """How a comparison is run.

    Args:
        contenders: names, or `all`.
        minutes: lengths of stream.
        seconds: of each real-time phase.
        rounds: turns of each contender at each length.
        pairs: of a watched answer and paused ones, of each contender at each length.
        pairing_s: longest time for the pairs of all lengths together, but for one of each.
        tokens: of a long answer.
        slack_s: by how much more than a sampling interval a frame may come late.
        patience_s: longest time to the first token that is waited for.
        watched_minutes: most that is watched on the way from one length to the next.
    """

    contenders: Sequence[str]
    minutes: Sequence[float]
    seconds: float
    rounds: int
    pairs: int
    pairing_s: float
    tokens: int
    slack_s: float
    patience_s: float
    watched_minutes: float


@dataclass(slots=True)
class Entry:
    """A contender in the comparison.

    Attributes:
        excuse: what it says since it gave up; empty if it did not.
    """

    stage: Stage
    excuse: str = ""
    _trials: list[tuple[float, float]] = field(default_factory=list)  # minutes, s to first token

    async def fill(self, minutes: float, plan: Plan) -> None:
        """Watch up to a length, or give up before."""
        stage, fps = self.stage, self.stage.film.fps
        until = round(minutes * 60 * fps) // STEP * STEP
        if not stage.contender.grows:
            await stage.fill(until, round(plan.watched_minutes * 60 * fps))
            return
        while stage.number < until:
            here = max(round(_BEGINNING_S * fps), 2 * stage.number) // STEP * STEP
            there = min(here, until)
            if self.excuse or self._expected(there / fps / 60) > plan.patience_s:
                self.excuse = self._gives_up(minutes, plan.patience_s)
                return
            await stage.fill(there)
            said = await say(stage.contender, QUESTION, 1)
            self._trials.append((stage.minutes, said.ttft_s))

    def _expected(self, minutes: float) -> float:
        """Seconds to the first token at a length, going on as it grew between the last trials."""
        if not self._trials:
            return 0.0
        length, took = self._trials[-1]
        power = 1.0
        if len(self._trials) > 1:
            shorter, sooner = self._trials[-2]
            power = min(2.0, max(1.0, log(took / sooner) / log(length / shorter)))
        return float(took * (minutes / length) ** power)

    def _gives_up(self, minutes: float, patience_s: float) -> str:
        length, took = self._trials[-1]
        return (
            f"gave up: about {self._expected(minutes):.0f} s to the first token are to be "
            f"expected, more than {patience_s:g}; at {length:.3g} min it took {took:.2g}"
        )
